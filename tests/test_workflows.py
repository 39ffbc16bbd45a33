"""The workflows: valid by GitHub's own schema, pinned, with no more rights than they need, made of Make targets;
and the comment's script.
"""

import importlib.resources
import json
import os
import re
import shutil
import subprocess

import jsonschema
import pytest
import yaml

from scripts.common.paths import ROOT
from scripts.diff import comment
from scripts.setup import install

FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
MAY_WRITE = {  # workflow, job -> what it may write; nothing else may write anything
    ("publish.yml", "deploy"): {"pages", "id-token"},
    ("figure-comment.yml", "comment"): {"pull-requests"},
    ("newer-tables.yml", "propose"): {"contents", "pull-requests"},
}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def schema(name):
    """A schema of SchemaStore, as the check-jsonschema package carries it."""
    return json.loads(
        (importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{name}.json").read_text()
    )


def load(path):
    """A workflow; YAML reads the key `on` as true."""
    content = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in content.items()}


WORKFLOWS = {path.name: load(path) for path in FILES}
JOBS = [(name, job, content) for name, workflow in WORKFLOWS.items() for job, content in workflow["jobs"].items()]
STEPS = [(name, job, step) for name, job, content in JOBS for step in content["steps"]]


def test_there_are_workflows_for_what_is_asked():
    assert {"tests.yml", "publish.yml", "figure-diff.yml", "figure-comment.yml", "newer-tables.yml"} <= set(WORKFLOWS)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_valid_by_the_schema(name):
    jsonschema.validate(WORKFLOWS[name], schema("github-workflows"))


def test_the_schema_would_notice():
    spoilt = json.loads(json.dumps(WORKFLOWS["tests.yml"]))
    spoilt["jobs"]["tests"]["steps"][0]["usess"] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(spoilt, schema("github-workflows"))


def test_dependabot_and_citation_are_valid():
    jsonschema.validate(yaml.safe_load((ROOT / ".github/dependabot.yml").read_text()), schema("dependabot"))
    jsonschema.validate(yaml.safe_load((ROOT / "CITATION.cff").read_text()), schema("citation-file-format"))


def test_actions_are_pinned_by_commit_with_their_version_beside():
    for path in FILES:
        uses = re.findall(r"uses: (.*)", path.read_text())
        assert uses
        for line in uses:
            assert re.fullmatch(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_an_action_has_one_version_everywhere():
    versions = {}
    for path in FILES:
        for action, pin in re.findall(r"uses: (\S+)@(.*)", path.read_text()):
            assert versions.setdefault(action, pin) == pin


def test_least_permissions():
    for name, workflow in WORKFLOWS.items():
        assert set(workflow["permissions"].values()) <= {"read"}, name
    for name, job, content in JOBS:
        writes = {what for what, right in content.get("permissions", {}).items() if right == "write"}
        assert writes == MAY_WRITE.get((name, job), set()), (name, job)


def test_what_can_write_runs_no_code_of_a_pull_request():
    for name, workflow in WORKFLOWS.items():
        events = set(workflow["on"])
        assert "pull_request_target" not in events
        if "pull_request" in events:
            assert not any(job == (name, each) for job in MAY_WRITE for each in workflow["jobs"])
    (checkout,) = [
        step for name, _, step in STEPS if name == "figure-comment.yml" and "checkout" in step.get("uses", "")
    ]
    assert checkout["with"]["ref"] == "${{ github.event.repository.default_branch }}"


def test_credentials_stay_only_where_a_branch_is_pushed():
    for name, job, step in STEPS:
        if "actions/checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is ((name, job) == ("newer-tables.yml", "propose"))


def test_every_run_is_a_make_target_without_text_from_outside():
    runs = [step["run"] for _, _, step in STEPS if "run" in step]
    assert len(runs) >= 8
    for run in runs:
        target = re.fullmatch(r"make ([a-z-]+)( [A-Z]+=[a-z]+)*", run)
        assert target and target[1] in TARGETS, run


def test_a_proposal_renews_the_readme_first():
    said = subprocess.run(
        ["make", "-n", "-o", ".venv/light.stamp", "proposal"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    assert 0 <= said.find("scripts.pages.readme") < said.find("scripts.data.newer --proposal")


def test_the_machine_is_measured_again_for_what_measures_it_alone():
    said = subprocess.run(["make", "-pnq", "build/bench.stamp"], cwd=ROOT, capture_output=True, text=True).stdout
    needs = re.search(r"^build/bench\.stamp: (.*)", said, re.M)[1].split()
    assert {"scripts/bench/roofline.py", "scripts/bench/measure.py", "scripts/bench/models.py"} <= set(needs)
    assert not {f"scripts/bench/{name}.py" for name in ("cloud", "prices", "imagenet", "gpu", "contribute")} & set(
        needs
    )


def trains(folder, profile, **data) -> list[str]:
    """The modules that `make train` runs with their options, by the Makefile itself with an interpreter that only
    says what it was given.
    """
    shutil.copy(ROOT / "Makefile", folder)
    (folder / ".venv").mkdir(exist_ok=True)
    (folder / ".venv/full.stamp").touch()
    environment = {
        name: value for name, value in os.environ.items() if name not in ("DATA", "MAKEFLAGS", "MAKELEVEL")
    } | data
    done = subprocess.run(
        ["make", "-B", "-o", ".venv/full.stamp", "PY=echo ran", f"PROFILE={profile}", "build/train.stamp"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    own, lines = "ran -m scripts.train.", done.stdout.splitlines()
    assert lines[1] == "ran -m scripts.demo.choose_runtime"  # once a network is exported
    return [line.removeprefix(own) for line in lines if line.startswith(own)]


def test_photos_get_an_exported_network_first_and_the_zoo_where_there_is_time(tmp_path):
    assert trains(tmp_path, "quick") == ["pets_export --data digits --tracker none", "train_models --profile quick"]
    assert trains(tmp_path, "quick", DATA="my photos") == ["pets_export --profile quick --data my photos"]
    assert trains(tmp_path, "full", DATA="my photos") == [
        "pets_export --profile full --data my photos",
        "train_models --profile full --data my photos",
    ]


def test_no_expression_is_pasted_into_a_script():
    for _, _, step in STEPS:
        assert "${{" not in step.get("with", {}).get("script", "") + step.get("run", "")


def test_every_job_ends_and_names_its_machine():
    for name, job, content in JOBS:
        assert content.get("timeout-minutes", 999) <= 60, (name, job)
        machines = content["strategy"]["matrix"]["machine"] if "strategy" in content else [content["runs-on"]]
        assert all(re.fullmatch(r"ubuntu-\d\d\.04|macos-\d\d", machine) for machine in machines), (name, job)


def test_the_oldest_and_newest_python_are_tried_on_linux_and_on_a_mac():
    tried = WORKFLOWS["checks.yml"]["jobs"]["suite"]["strategy"]["matrix"]
    assert tried["python"][0] == ".".join(map(str, install.OLDEST_PYTHON)) and {"3.12", "3.14"} <= set(tried["python"])
    assert {machine.split("-")[0] for machine in tried["machine"]} == {"ubuntu", "macos"}
    assert f'target-version = "py{tried["python"][0].replace(".", "")}"' in (ROOT / "pyproject.toml").read_text()


def test_quarto_is_the_one_that_make_setup_installs():
    (step,) = [step for _, _, step in STEPS if "quarto" in step.get("uses", "")]
    (said,) = [step["run"] for _, _, step in STEPS if step.get("id") == "quarto"]
    assert step["with"]["version"] == "${{ steps.quarto.outputs.version }}" and said == "make quarto-version"
    assert install.QUARTO == f"quarto-cli=={(ROOT / '.quarto-version').read_text().strip()}"
    assert re.fullmatch(r"\d+\.\d+\.\d+", install.TRIED)


def test_what_is_published_was_checked():
    names = [
        step.get("run", step.get("uses", "")).split(" ")[-1 if "uses" in step else 1]
        for step in WORKFLOWS["publish.yml"]["jobs"]["build"]["steps"]
    ]
    assert (
        names.index("site")
        < names.index("check-site")
        < next(at for at, name in enumerate(names) if name.startswith("actions/upload-pages-artifact"))
    )
    assert WORKFLOWS["publish.yml"]["jobs"]["deploy"]["needs"] == "build"


# --- the scripts within -----------------------------------------------------------------------------------------------
def node():
    """Playwright's own node."""
    driver = pytest.importorskip("playwright._impl._driver")
    return driver.compute_driver_executable()[0]


def script(workflow):
    (found,) = [
        step["with"]["script"] for name, _, step in STEPS if name == workflow and "script" in step.get("with", {})
    ]
    return found


HARNESS = """
const [script, world, folder] = [process.argv[2], JSON.parse(process.argv[3]), process.argv[4]];
process.chdir(folder);
const calls = [];
const called = (name) => async (options) => { calls.push([name, options]); return {data: []}; };
const lists = {pulls: world.pulls, comments: world.comments};
const github = {
  paginate: async (which, options) => (calls.push(['list', options]), lists[which]),
  rest: {
    pulls: {list: 'pulls'},
    issues: {listComments: 'comments', createComment: called('create'), updateComment: called('update')},
  },
};
const context = {repo: {owner: 'us', repo: 'bim'}, payload: {workflow_run: world.run}};
const run = Object.getPrototypeOf(async () => {}).constructor('github', 'context', 'require', 'exec', script);
const failed = (error) => { console.error(error); process.exit(1); };
run(github, context, require, {}).then(() => console.log(JSON.stringify(calls)), failed);
"""
RUN = {
    "html_url": "https://github.com/us/bim/actions/runs/1",
    "head_sha": "abc",
    "head_branch": "topic",
    "head_repository": {"owner": {"login": "stranger"}},
}
PULL = {"number": 7, "head": {"sha": "abc"}}


def posted(tmp_path, **world):
    """What the comment's script does in a `world` of pull requests and comments: [(verb, options)], lists apart."""
    (tmp_path / "build").mkdir(exist_ok=True)
    (tmp_path / "build/comment.md").write_text(f"{comment.MARKER}\nnews")
    (tmp_path / "harness.js").write_text(HARNESS)
    world = {"run": RUN, "pulls": [PULL], "comments": [], **world}
    done = subprocess.run(
        [node(), str(tmp_path / "harness.js"), script("figure-comment.yml"), json.dumps(world), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    calls = json.loads(done.stdout)
    assert calls[0][1]["head"] == "stranger:topic"
    return [(name, options) for name, options in calls if name != "list"]


def test_the_first_comment_is_written(tmp_path):
    ((verb, options),) = posted(tmp_path)
    assert verb == "create" and options["issue_number"] == 7
    assert options["body"].startswith(comment.MARKER) and RUN["html_url"] in options["body"]


def test_the_next_one_takes_its_place(tmp_path):
    comments = [
        {"id": 1, "body": "hello", "user": {"type": "Bot"}},
        {"id": 2, "body": f"{comment.MARKER} mine", "user": {"type": "User"}},
        {"id": 3, "body": f"{comment.MARKER}\nold", "user": {"type": "Bot"}},
    ]
    ((verb, options),) = posted(tmp_path, comments=comments)
    assert (verb, options["comment_id"]) == ("update", 3)


def test_a_report_on_an_older_commit_is_not_posted(tmp_path):
    assert posted(tmp_path, pulls=[{"number": 7, "head": {"sha": "newer"}}]) == []


@pytest.mark.parametrize("workflow", ["figure-comment.yml", "newer-tables.yml"])
def test_the_scripts_are_javascript(tmp_path, workflow):
    (tmp_path / "x.mjs").write_text(
        f"export default async function (github, context, require, exec) {{\n{script(workflow)}\n}}\n"
    )
    done = subprocess.run([node(), "--check", str(tmp_path / "x.mjs")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_comment_finds_itself_again():
    assert comment.MARKER in script("figure-comment.yml")


def test_pull_requests_of_two_forks_do_not_displace_each_other():
    group = WORKFLOWS["figure-comment.yml"]["concurrency"]["group"]
    assert {"head_repository.full_name", "head_branch"} <= set(re.findall(r"workflow_run\.([\w.]+)", group))


PROPOSE = """
const [script, folder] = [process.argv[2], process.argv[3]];
process.chdir(folder);
const calls = [];
const called = (name) => async (options) => { calls.push(name); return {data: []}; };
const github = {rest: {pulls: {list: called('list'), create: called('create'), update: called('update')}}};
const context = {repo: {owner: 'us', repo: 'bim'}, payload: {}};
const exec = {
  getExecOutput: async (program, words) => {
    if (words[0] === process.argv[4]) require('child_process').execSync(process.argv[5]);
    return {stdout: require('child_process').execFileSync(program, words, {encoding: 'utf8'})};
  },
};
const core = {notice: (text) => calls.push(text)};
const run = Object.getPrototypeOf(async () => {}).constructor('github', 'context', 'require', 'exec', 'core', script);
const failed = (error) => { console.error(error.message); process.exit(1); };
run(github, context, require, exec, core).then(() => console.log(JSON.stringify(calls)), failed);
"""
BRANCH = "timm-tables-2026-12-01"


@pytest.fixture
def upstream(tmp_path):
    """(git, propose): git in a repository with a remote, and the proposing script run in a fresh clone of that."""
    as_person = ["-c", "user.name=Jane", "-c", "user.email=jane@example.org"]

    def git(*words, folder=tmp_path / "person"):
        return subprocess.run(
            ["git", *as_person, *words], cwd=folder, capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()

    def propose(content, before="", do=""):
        """before, do: a shell command that somebody runs just before git's subcommand of that name."""
        shutil.rmtree(tmp_path / "runner", ignore_errors=True)
        git("clone", "-q", str(tmp_path / "remote"), "runner", folder=tmp_path)
        news = tmp_path / "runner/build/newer"
        news.mkdir(parents=True)
        (news / "news.json").write_text(json.dumps({"vintage": BRANCH[-10:]}))
        (news / "body.md").write_text("news")
        patch = f"--- a/report/t.csv\n+++ b/report/t.csv\n@@ -1 +1 @@\n-old\n+{content}\n"
        (news / "changes.patch").write_text(f"diff --git a/report/t.csv b/report/t.csv\n{patch}")
        (tmp_path / "harness.js").write_text(PROPOSE)
        given = [script("newer-tables.yml"), str(tmp_path / "runner"), before, do]
        done = subprocess.run(
            [node(), str(tmp_path / "harness.js"), *given], capture_output=True, text=True, timeout=60
        )
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    git("init", "-q", "--bare", "-b", "main", "remote", folder=tmp_path)
    git("clone", "-q", str(tmp_path / "remote"), "person", folder=tmp_path)
    (tmp_path / "person/report").mkdir()
    (tmp_path / "person/report/t.csv").write_text("old\n")
    git("switch", "-qc", "main")
    git("add", "-A")
    git("commit", "-qm", "first")
    git("push", "-q", "origin", "main")
    return git, propose


def test_next_week_takes_the_place_of_the_bots_own_proposal(upstream):
    git, propose = upstream
    assert propose("one") == ["list", "create"] and propose("two") == ["list", "create"]
    git("fetch", "-q")
    assert git("show", f"origin/{BRANCH}:report/t.csv") == "two"
    assert git("rev-list", "--count", f"origin/main..origin/{BRANCH}") == "1"


@pytest.mark.parametrize("how", ["a commit on top", "an amended commit", "main merged into it", "an empty commit"])
def test_what_a_reviewer_committed_on_the_proposal_stays(upstream, how, tmp_path):
    git, propose = upstream
    propose("one")
    if how == "main merged into it":
        git("commit", "-q", "--allow-empty", "-m", "other")
        git("push", "-q", "origin", "main")
    git("fetch", "-q")
    git("switch", "-q", BRANCH)
    (tmp_path / "person/report/t.csv").write_text("mended\n")
    {
        "a commit on top": lambda: git("commit", "-qam", "mend"),
        "an amended commit": lambda: git("commit", "-qa", "--amend", "--no-edit"),
        "main merged into it": lambda: (git("checkout", "-q", "."), git("merge", "-q", "--no-edit", "origin/main")),
        "an empty commit": lambda: git("commit", "-q", "--allow-empty", "-m", "looked at"),
    }[how]()
    git("push", "-q", "--force", "origin", BRANCH)
    was = git("rev-parse", BRANCH)
    (said,) = propose("two")
    assert "holds commits of others" in said
    git("fetch", "-q")
    assert git("rev-parse", f"origin/{BRANCH}") == was


@pytest.mark.parametrize("first", [True, False])
def test_what_is_pushed_meanwhile_stays(upstream, first, tmp_path):
    git, propose = upstream
    if not first:
        propose("one")
        git("fetch", "-q")
    git("switch", "-qc", BRANCH, "origin/main" if first else f"origin/{BRANCH}")
    git("commit", "-q", "--allow-empty", "-m", "mine")
    assert "failed" in propose("two", "push", f"git -C {tmp_path / 'person'} push -q origin {BRANCH}")
    git("fetch", "-q")
    assert git("log", "-1", "--format=%s", f"origin/{BRANCH}") == "mine"
