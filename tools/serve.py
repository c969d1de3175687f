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


def main(port: int) -> int:
    """Serve until Ctrl-C."""
    handler = functools.partial(QuietHandler, directory=HTML)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        print(f"Port {port} cannot be used ({error.strerror}). Try another: make serve PORT={port + 1}", file=sys.stderr)
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
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000))
