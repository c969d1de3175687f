"""The workflows on GitHub: they can be read, ask for what exists, and do no more than they need.

Each check takes a workflow and returns complaints, and is tried on spoilt copies.
"""

import copy
import re
import tomllib

import pytest
import yaml
from conftest import ROOT

WORKFLOWS = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / ".github/workflows").glob("*.y*ml"))
}
TARGETS = set(
    re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [
    line.rpartition(" ")[2]
    for line in PROJECT["classifiers"]
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
]
ON = True  # YAML reads the key `on` as the word for true

# What may write, and where: nothing but the publishing of pages.
MAY_WRITE = {"publish": {"pages": "write", "id-token": "write"}}


def steps(workflow):
    """(name of the job, step) of every step."""
    return [(name, step) for name, job in workflow["jobs"].items() for step in job["steps"]]


def commands(workflow, job=None):
    """What `make` is asked for, by all jobs or by one."""
    return [
        target
        for name, step in steps(workflow)
        if job in (None, name)
        for target in re.findall(r"\bmake ([\w-]+)", step.get("run", ""))
    ]


# --- checks ---------------------------------------------------------------------------


def known_targets(workflow):
    """Every `make` target exists."""
    return [
        f"make {target}: there is no such target"
        for target in commands(workflow)
        if target not in TARGETS
    ]


def pinned_actions(workflow):
    """Every action is GitHub's own and pinned by its major version."""
    used = [step["uses"] for _, step in steps(workflow) if "uses" in step]
    return [
        f"{action} is not pinned by major version"
        for action in used
        if not re.fullmatch(r"actions/[\w-]+@v\d+", action)
    ]


def few_permissions(workflow):
    """Reading the repository is all, except for the job that publishes."""
    complaints = (
        []
        if workflow.get("permissions") == {"contents": "read"}
        else ["the workflow may do more than read the repository"]
    )
    jobs = workflow["jobs"].items()
    return complaints + [
        f"{name} may {job['permissions']}"
        for name, job in jobs
        if job.get("permissions", MAY_WRITE.get(name)) != MAY_WRITE.get(name)
    ]


def limited_times(workflow):
    """A job that hangs ends within an hour or so."""
    return [
        f"{name} has no limit of minutes"
        for name, job in workflow["jobs"].items()
        if not 1 <= job.get("timeout-minutes", 0) <= 90
    ]


def supported_pythons(workflow):
    """Each job runs a Python that the project supports, and the matrix holds all of them."""
    complaints = []
    for name, step in steps(workflow):
        if "setup-python" not in step.get("uses", ""):
            continue
        wanted = step["with"]["python-version"]
        matrix = workflow["jobs"][name].get("strategy", {}).get("matrix", {}).get("python")
        if matrix is not None and (matrix != PYTHONS or wanted != "${{ matrix.python }}"):
            complaints.append(f"{name} runs {wanted} of {matrix}, not {PYTHONS}")
        if matrix is None and wanted not in PYTHONS:
            complaints.append(f"{name} runs Python {wanted!r}, which is none of {PYTHONS}")
    return complaints


def publishing_waits(workflow):
    """Pages are published from the main branch only, and after every other job."""
    complaints = []
    for name, step in steps(workflow):
        if "deploy-pages" not in step.get("uses", ""):
            continue
        job = workflow["jobs"][name]
        if set(job.get("needs", [])) != set(workflow["jobs"]) - {name}:
            complaints.append(f"{name} does not wait for every other job")
        if job.get("if") != "github.ref == 'refs/heads/main'":
            complaints.append(f"{name} publishes other branches, too")
    return complaints


def read_files(workflow):
    """The files that a job's cache depends on exist."""
    keys = [str(step.get("with", {}).get("key", "")) for _, step in steps(workflow)]
    named = [name for key in keys for name in re.findall(r"hashFiles\('([^']+)'\)", key)]
    return [f"there is no {name}" for name in named if not (ROOT / name).is_file()]


CHECKS = [
    known_targets,
    pinned_actions,
    few_permissions,
    limited_times,
    supported_pythons,
    publishing_waits,
    read_files,
]


# --- the workflows --------------------------------------------------------------------


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow(name, check):
    assert not check(WORKFLOWS[name])


def test_pythons_start_where_the_library_does():
    assert (
        PROJECT["requires-python"] == f">={PYTHONS[0]}"
        and sorted(PYTHONS, key=lambda text: int(text[2:])) == PYTHONS
    )


def test_every_push_and_request_is_tested_built_and_tried_as_in_colab():
    workflow = WORKFLOWS["ci.yml"]
    assert {"push", "pull_request"} <= set(workflow[ON])
    assert {"test", "colab", "book"} <= set(commands(workflow))
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == PYTHONS
    assert any(
        "upload-pages-artifact" in step.get("uses", "") and step["with"]["path"] == "_build/html"
        for _, step in steps(workflow)
    )
    assert any("deploy-pages" in step.get("uses", "") for _, step in steps(workflow))


def test_links_are_asked_on_a_schedule():
    asked = [
        workflow
        for workflow in WORKFLOWS.values()
        if "schedule" in workflow[ON] and "links" in commands(workflow)
    ]
    assert asked and all(
        re.fullmatch(r"(\S+ ){4}\S+", line["cron"])
        for workflow in asked
        for line in workflow[ON]["schedule"]
    )


def test_warnings_are_errors_where_the_book_is_built():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(
        r"^book:.*\n(?:\t.*\n)*?\t.*jupyter-book build \. -W -n ", makefile, re.MULTILINE
    )


def test_this_projects_own_ci_runs_the_same_and_nothing_else():
    lines = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if not line.startswith(("#", "set ", "cd "))]
    assert commands == ["make test </dev/null", "make colab </dev/null"]


def recipe(target):
    """What a target of the Makefile waits for, and the commands that it runs."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pattern = rf"^{target}:([^#\n]*)(?:#.*)?\n((?:\t.*\n)*)"
    found = re.search(pattern, makefile, re.MULTILINE)
    assert found, f"the Makefile has no target {target}"
    before, commands = found.groups()
    return before.split(), [line.strip() for line in commands.splitlines()]


def test_make_test_checks_and_fetches_first():
    assert recipe("test")[0] == ["check", "data", "browser"]


def test_a_commit_waits_for_the_same_checks_as_make_test():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (repository,) = config["repos"]
    hooks = [hook["entry"].replace(" --force-exclude", "") for hook in repository["hooks"]]
    assert hooks == [line.replace("$(BIN)", ".venv/bin") for line in recipe("check")[1]]
    # Nothing is fetched from other hosts.
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}


# --- each check must be able to complain ----------------------------------------------


def spoilt(change):
    """A copy of the first workflow with a fault."""
    workflow = copy.deepcopy(WORKFLOWS["ci.yml"])
    change(workflow, workflow["jobs"])
    assert workflow != WORKFLOWS["ci.yml"], "the fault changed nothing"
    return workflow


def setup_python(job):
    return next(step for step in job["steps"] if "setup-python" in step.get("uses", ""))


def cache(job):
    return next(step for step in job["steps"] if "actions/cache" in step.get("uses", ""))


FAULTS = [
    (known_targets, lambda workflow, jobs: jobs["book"]["steps"].append({"run": "make bok"})),
    (
        pinned_actions,
        lambda workflow, jobs: jobs["book"]["steps"].append({"uses": "actions/checkout@main"}),
    ),
    (
        pinned_actions,
        lambda workflow, jobs: jobs["book"]["steps"].append({"uses": "someone/else@v1"}),
    ),
    (few_permissions, lambda workflow, jobs: workflow.pop("permissions")),
    (few_permissions, lambda workflow, jobs: workflow.update(permissions="write-all")),
    (
        few_permissions,
        lambda workflow, jobs: jobs["test"].update(permissions={"contents": "write"}),
    ),
    (
        few_permissions,
        lambda workflow, jobs: jobs["publish"]["permissions"].update(contents="write"),
    ),
    (limited_times, lambda workflow, jobs: jobs["test"].pop("timeout-minutes")),
    (
        supported_pythons,
        lambda workflow, jobs: jobs["test"]["strategy"]["matrix"]["python"].remove("3.12"),
    ),
    (
        supported_pythons,
        lambda workflow, jobs: setup_python(jobs["test"])["with"].update(
            {"python-version": "3.12"}
        ),
    ),
    (
        supported_pythons,
        lambda workflow, jobs: setup_python(jobs["book"])["with"].update(
            {"python-version": "3.10"}
        ),
    ),
    (
        supported_pythons,
        lambda workflow, jobs: setup_python(jobs["book"])["with"].update({"python-version": 3.12}),
    ),
    (publishing_waits, lambda workflow, jobs: jobs["publish"]["needs"].remove("colab")),
    (publishing_waits, lambda workflow, jobs: jobs["publish"].pop("if")),
    (
        read_files,
        lambda workflow, jobs: cache(jobs["book"])["with"].update(
            key="${{ hashFiles('uv.luck') }}"
        ),
    ),
]


@pytest.mark.parametrize("check, change", FAULTS)
def test_check_notices(check, change):
    assert check(spoilt(change)), f"{check.__name__} let it pass"


def test_every_check_is_tried():
    assert {check for check, _ in FAULTS} == set(CHECKS)
