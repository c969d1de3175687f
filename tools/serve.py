"""Show the built book on this machine only: python tools/serve.py [port]."""

import functools
import http.server
import sys
from pathlib import Path

HTML = Path(__file__).resolve().parents[1] / "_build" / "html"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each of them."""

    def log_message(self, *arguments):
        pass


def main(text: str) -> int:
    """Serve until Ctrl-C at the port that the text names."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        print(
            f"PORT must be a number from 1 to 65535, for example 8000; got {text!r}",
            file=sys.stderr,
        )
        return 1
    port = int(text)
    handler = functools.partial(QuietHandler, directory=HTML)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        other = port + 1 if 1024 <= port < 65535 else 8000
        print(
            f"Port {port} cannot be used ({error.strerror}). Try another: make serve PORT={other}",
            file=sys.stderr,
        )
        return 1
    print(f"The book: http://127.0.0.1:{port}  (stop with Ctrl-C)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("\nStopped.")
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "8000"))
