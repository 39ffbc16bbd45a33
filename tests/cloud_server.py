"""Amazon on this machine: a moto server, and in front of it a proxy that keeps every request, can refuse one, and can
tell a job's life.

moto completes a training job at once and forgets its environment; what the tests need of that lies in the requests that
the proxy kept. The commands run in the environment of `make cloud`, in one process for all tests, since importing the
SDK takes seconds.
"""

import http.client
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scripts.common.paths import ROOT
from tests.waiting import PATIENCE_S, until

PYTHON = ROOT / ".venv" / "cloud" / "bin" / "python"
AT_ONCE_S = 20  # Amazon's client gives an answer a minute
ROLE = "arn:aws:iam::123456789012:role/training"
WORKER = """
import contextlib, io, json, os, sys
from jsonschema.validators import Draft202012Validator as Validator
check, checked = Validator.check_schema, []
def once(schema, *more):  # the SDK asks nine times a job whether the schema of its own settings is one: half its time
    if not any(schema is each for each in checked):
        check(schema, *more)
        checked.append(schema)
Validator.check_schema = once
out = sys.stdout
for line in sys.stdin:
    asked = json.loads(line)
    os.environ.update({k: v for k, v in asked["env"].items() if v is not None})
    for key in [k for k, v in asked["env"].items() if v is None]: os.environ.pop(key, None)
    said, complained = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        try:
            module = __import__(asked["module"], fromlist=["main"])
            code = module.main(asked["argv"])
        except SystemExit as stop:
            code = stop.code
        except BaseException:
            import traceback; traceback.print_exc(); code = -1
    out.write(json.dumps({"code": code, "out": said.getvalue(), "err": complained.getvalue()}) + "\\n"); out.flush()
"""


class Answer:
    def __init__(self, found):
        self.code, self.out, self.err = found["code"], found["out"], found["err"]


class Cloud:
    """requests: [(operation or 'METHOD /path', body)]; refuse: operation -> (status, code, message); lives: what
    DescribeTrainingJob says, in turn; on_create: a job's work, called with each CreateTrainingJob body. This request is
    passed on when the work is done, or after AT_ONCE_S: the job is then said to train until it is done; on_describe:
    called before a DescribeTrainingJob is passed on."""

    def __init__(self, folder: Path):
        self.folder, self.moto_port = folder, 0
        self.forget()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.worker = None

    def forget(self):
        self.requests, self.refuse, self.lives = [], {}, []
        self.on_create = self.on_describe = None
        self.jobs: dict[str, threading.Thread] = {}

    def start(self):
        import socket

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.moto_port = free.getsockname()[1]
        log = open(self.folder / "moto.log", "w")  # noqa: SIM115 - the server writes on
        self.moto = subprocess.Popen(
            [PYTHON, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.moto_port)], stdout=log, stderr=log
        )
        env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.folder),
            "BEST_IMAGE_MODELS_CACHE": str(self.folder / "cache"),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAGEMAKER_VALIDATE_ROLE": "false",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_MAX_ATTEMPTS": "1",
        }
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "SAGEMAKER_ROLE"):
            env.pop(name, None)
        self.worker = subprocess.Popen(
            [PYTHON, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=ROOT
        )
        until(self._answers, "moto has started")
        return self

    def _answers(self) -> bool:
        assert self.moto.poll() is None, (self.folder / "moto.log").read_text()[-2000:]
        try:
            http.client.HTTPConnection("127.0.0.1", self.moto_port, timeout=PATIENCE_S).request("GET", "/")
        except OSError:
            return False
        return True

    def stop(self):
        self.worker.kill()  # at its end the SDK waits for seconds
        self.worker.stdin.close(), self.worker.stdout.close()
        self.moto.terminate()
        self.moto.wait(), self.worker.wait()
        self.server.shutdown()

    def command(self, *argv, module="scripts.train.run_training", **env) -> Answer:
        """Run a command's main in the cloud environment. env: variables to set (None: to unset) for this and later
        ones.
        """
        self.worker.stdin.write(json.dumps({"module": module, "argv": [str(part) for part in argv], "env": env}) + "\n")
        self.worker.stdin.flush()
        return Answer(json.loads(self.worker.stdout.readline()))

    # --- what was asked -----------------------------------------------------------------------------------------------

    def created(self) -> list[dict]:
        return [json.loads(body) for name, body in self.requests if name == "CreateTrainingJob"]

    def puts(self) -> dict[str, bytes]:
        """/bucket/key -> bytes, of what was uploaded."""
        return {
            name.removeprefix("PUT ").partition("?")[0]: body
            for name, body in self.requests
            if name.startswith("PUT /") and name.count("/") > 2
        }

    def put(self, address: str, content: bytes) -> None:
        """Leave an object on S3, as a job would."""
        bucket = address.removeprefix("s3://").partition("/")[0]
        for path, body in ((f"/{bucket}", b""), (f"/{address.removeprefix('s3://')}", content)):
            self._forward(
                "PUT",
                path,
                {"Authorization": "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request"},
                body,
            )

    def log(self, job: str, lines: list[str]) -> None:
        """Write a job's log, as its container would."""
        group, stream = "/aws/sagemaker/TrainingJobs", f"{job}/algo-1-1"
        events = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
        for name, body in (
            ("CreateLogGroup", {"logGroupName": group}),
            ("CreateLogStream", {"logGroupName": group, "logStreamName": stream}),
            ("PutLogEvents", {"logGroupName": group, "logStreamName": stream, "logEvents": events}),
        ):
            self._forward(
                "POST",
                "/",
                {
                    "X-Amz-Target": f"Logs_20140328.{name}",
                    "Content-Type": "application/x-amz-json-1.1",
                    "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/logs/aws4_request",
                },
                json.dumps(body).encode(),
            )

    # --- the proxy ----------------------------------------------------------------------------------------------------

    def _forward(self, method, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.moto_port, timeout=PATIENCE_S)
        connection.request(method, path, body, {**headers, "Content-Length": str(len(body))})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    def _handler(cloud):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b""
                    while size := int(self.rfile.readline().split(b";")[0], 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                target = self.headers.get("X-Amz-Target", "")
                name = target.rpartition(".")[2] or f"{self.command} {self.path}"
                plain = unchunked(body) if self.headers.get("Content-Encoding") == "aws-chunked" else body
                cloud.requests.append((name, plain))
                fault = next((found for wanted, found in cloud.refuse.items() if name.startswith(wanted)), None)
                if fault:
                    status, code, message = fault
                    xml = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
                    self.answer(
                        status,
                        {"Content-Type": "application/xml"} if not target else {"x-amzn-errortype": code},
                        json.dumps({"__type": code, "message": message}).encode() if target else xml.encode(),
                    )
                    return
                if name == "CreateTrainingJob" and cloud.on_create:
                    asked = json.loads(plain)
                    job = threading.Thread(target=cloud.on_create, args=(asked,), daemon=True)
                    cloud.jobs[asked["TrainingJobName"]] = job
                    job.start()
                    job.join(AT_ONCE_S)
                if name == "DescribeTrainingJob" and cloud.on_describe:
                    cloud.on_describe()
                headers = {
                    key: value
                    for key, value in self.headers.items()
                    if key.lower()
                    not in (
                        "host",
                        "transfer-encoding",
                        "content-length",
                        "expect",
                        "content-encoding",
                        "x-amz-decoded-content-length",
                        "x-amz-trailer",
                    )
                }
                status, found, content = cloud._forward(self.command, self.path, headers, plain)
                if name == "DescribeTrainingJob" and cloud.lives and status == 200:
                    life = cloud.lives.pop(0) if len(cloud.lives) > 1 else cloud.lives[0]
                    content = json.dumps({**json.loads(content), **life}).encode()
                if name == "DescribeTrainingJob" and status == 200:
                    job = cloud.jobs.get(json.loads(plain)["TrainingJobName"])
                    if job and job.is_alive():
                        trains = {"TrainingJobStatus": "InProgress", "SecondaryStatus": "Training"}
                        content = json.dumps({**json.loads(content), **trains}).encode()
                self.answer(status, found, content)

            def answer(self, status, headers, content):
                self.send_response(status)
                for key, value in headers.items():
                    if key.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                        self.send_header(key, value)
                length = headers.get("Content-Length", len(content)) if self.command == "HEAD" else len(content)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = serve

        return Handler


def unchunked(body: bytes) -> bytes:
    """The content of an aws-chunked body."""
    found, at = b"", 0
    while at < len(body):
        head, _, _ = body[at:].partition(b"\r\n")
        size = int(head.split(b";")[0], 16)
        if not size:
            break
        start = at + len(head) + 2
        found, at = found + body[start : start + size], start + size + 2
    return found


def archive(folder: Path) -> bytes:
    """The files of `folder` as a .tar.gz, as SageMaker packs what a container left."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                tar.add(path, path.relative_to(folder).as_posix())
    return buffer.getvalue()


def skip_reason() -> str:
    """Why the tests that need the cloud packages cannot run; '' where they can."""
    return "" if PYTHON.exists() else "the packages of `make cloud` are not installed"


def container(
    source: bytes,
    data: Path,
    hyperparameters: dict[str, str],
    environment: dict[str, str],
    home: Path,
    checkpoints: Path | None = None,
) -> int:
    """Run an uploaded program as SageMaker's container does, but with this Python's packages. Leaves opt/ml under
    `home`. Returns the exit code.
    """
    from scripts.cloud import fast_local

    code = home / "code"
    with tarfile.open(fileobj=io.BytesIO(source)) as tar:
        tar.extractall(code, filter="data")
    ml = fast_local.tree(home, {"training": data}, hyperparameters)
    variables = fast_local.variables(ml, {"training": data}, hyperparameters, "job", 0)
    given = [part for name, value in hyperparameters.items() for part in (f"--{name}", value)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("BEST_IMAGE", "PYTHONPATH"))}
    done = subprocess.run(
        [sys.executable, fast_local.ENTRY, *given, "--device", "cpu"],
        cwd=code,
        capture_output=True,
        text=True,
        env={**clean, **variables, **environment, "BEST_IMAGE_MODELS_CACHE": str(home / "cache")},
    )
    (home / "log.txt").write_text(done.stdout + done.stderr)
    return done.returncode
