"""The web app: bring a photo, see what one or several exported models say, how sure they are, and where they looked.

    make demo MODEL=models/pets
    python -m scripts.demo.app models/pets models/cnn --port 7861

Served to this machine only (127.0.0.1): no share link, no analytics, nothing loaded from elsewhere, and the browser is
told so by a content security policy; requests of other pages are refused (scripts.demo.guard). Files are limited in
size, pixels and in all (scripts.demo.limits), and only ever opened as photos, two at a time, each in a process with
limits of time and memory (scripts.demo.photo). A photo is deleted when it was answered, all others when the app ends,
or when it starts again after it was killed.
Requests wait in a queue; the models answer in turn, with all cores, in a process of their own (scripts.demo.worker).
"""

from __future__ import annotations

import argparse
import contextlib
import html
import os
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path

from scripts.common.errors import UserError, cli, printable
from scripts.common.paths import ROOT, local, relative
from scripts.common.temporary import temporary_folder
from scripts.demo.guard import Guard, Store
from scripts.demo.limits import HOST, KEPT_SECONDS, MAX_BYTES, PORT, QUEUE, READERS, RUNTIME
from scripts.demo.worker import Models

EXAMPLES = 5
DIGITS = "digits"  # what make train exports without photos, so that there is something to try

SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "NO_PROXY": "127.0.0.1,localhost",
    "GRADIO_SERVER_NAME": HOST,
    "GRADIO_SHARE": "False",
    "GRADIO_ANALYTICS_MAX_EVENTS": "100",  # it times each answer, for a page of its own that we don't show
}
INTRO = (
    "Bring a photo: drop it, choose a file, paste it, or take one with the camera. It stays on this machine. Under "
    "each model's answer the photo "
    "stays bright where the answer came from."
)
CSS = """
.gradio-container {max-width: 68rem !important; margin: 0 auto !important}
#answer {min-height: 1.6rem; font-size: 1.05rem}
#answer .trouble {border-left: 4px solid #b3261e; padding: .4rem .8rem}
.model h2 {margin: 0; font-size: 1.1rem} .model .about {margin: 0 0 .4rem; opacity: .8; font-size: .85rem}
:focus-visible {outline: 3px solid #6e61d0 !important; outline-offset: 2px}
"""


def photo_input():
    """Gradio's image input without its own decoder: it hands over the uploaded file's path, and takes no addresses.

    Methods of the one instance are replaced: beside the source of every subclass gradio would write a .pyi file.
    """
    import gradio as gr

    photo = gr.Image(
        label="Photo",
        type="filepath",
        sources=["upload", "webcam", "clipboard"],
        height=360,
        elem_id="photo",
        alt_text="The photo you brought",
        buttons=["fullscreen"],
        placeholder="### Drop a photo here\nor click to choose a file",
    )
    keep = photo.async_move_resource_to_block_cache

    async def keep_file(resource):
        if "://" in str(resource):
            raise gr.Error("Bring a file, not an address.")
        return await keep(resource)

    photo.preprocess = lambda payload: None if payload is None else payload.path or ""
    photo.async_move_resource_to_block_cache = keep_file
    return photo


def describe(about) -> str:
    """What stands over a model's answers: architecture, input, and how often it was right where the export says so."""
    error = (
        about.trained.get("error_rate", {}).get("test") if isinstance(about.trained.get("error_rate"), dict) else None
    )
    tested = (
        f", {1 - error:.0%} right on {about.trained['test_images']:,} test photos"
        if isinstance(error, float) and 0 <= error <= 1 and isinstance(about.trained.get("test_images"), int)
        else ""
    )
    text = f"{about.arch}, {len(about.classes)} classes, {about.size}×{about.size} pixels{tested}"
    return f'<div class="model"><h2>{html.escape(about.name)}</h2><p class="about">{html.escape(text)}</p></div>'


def said(lines: list[str], trouble: bool = False) -> str:
    """The line under the photo, read out by screen readers as it changes. lines are plain text."""
    text = "<br>".join(html.escape(line) for line in lines)
    return f'<div role="alert" class="trouble">{text}</div>' if trouble else f'<div role="status">{text}</div>'


def answer(models, store: Store, path: str | None) -> list:
    """What the page shows for the uploaded file at `path`: the line, then probabilities and heat map of each model.
    The file then may go.
    """
    empty = [None, None] * len(models.folders)
    if path is None:
        return [said([""]), *empty]
    try:
        found = models.ask(path)
    finally:
        store.answered(path)
    if isinstance(found, str):
        return [said([found], trouble=True), *empty]
    lines = [
        f"{one.name}: {(top := next(iter(one.probabilities)))}, {one.probabilities[top]:.0%}, in "
        f"{one.milliseconds:.0f} ms" + (f" ({one.runtime})" if one.runtime else "")
        for one in found
    ]
    return [said(lines), *(value for one in found for value in (one.probabilities, one.picture))]


def examples(folders: list[Path]) -> list[str]:
    """Photos to try: scikit-image's cat (Chelsea, public domain) and the photos that were exported with the models."""
    found = sorted(path for folder in folders for path in (folder / "examples").glob("*.jpg"))[: EXAMPLES - 1]
    try:
        import skimage

        chelsea = Path(skimage.__file__).parent / "data" / "chelsea.png"
    except ImportError:
        chelsea = Path("none")
    return [str(path) for path in [chelsea, *found] if path.is_file()]


def build(models, store: Store):
    """The page for the loaded `models`, as gradio Blocks; `store` lets photos go."""
    import gradio as gr

    with gr.Blocks(
        title="Best Image Models", analytics_enabled=False, delete_cache=(KEPT_SECONDS, KEPT_SECONDS)
    ) as page:
        gr.Markdown(f"# What is in this photo?\n\n{INTRO}")
        with gr.Row():
            with gr.Column(scale=4, min_width=300):
                photo = photo_input()
                line = gr.HTML(said([""]), elem_id="answer", padding=False)
                pictures = examples(models.folders)
                if pictures:
                    gr.Examples(
                        [[picture] for picture in pictures], photo, label="Or try one of these", cache_examples=False
                    )
            with gr.Column(scale=5, min_width=300):
                with gr.Row():
                    outputs = []
                    for about in models.ready():
                        with gr.Column(min_width=240):
                            gr.HTML(describe(about), padding=False)
                            outputs.append(gr.Label(label="Probability", num_top_classes=5, show_heading=True))
                            outputs.append(
                                gr.Image(
                                    label="Where it looked",
                                    interactive=False,
                                    buttons=[],
                                    format="jpeg",
                                    alt_text=f"The photo, bright where {about.name} found its answer and dim elsewhere",
                                )
                            )
        photo.change(
            lambda path: answer(models, store, path),
            photo,
            [line, *outputs],
            api_name="classify",
            show_progress="minimal",
            concurrency_limit=READERS,
        )
    return page.queue(max_size=QUEUE, default_concurrency_limit=1, api_open=False)


def check_port(port: int) -> None:
    """Raise UserError where nothing can listen on `port`."""
    if not 1 <= port <= 65535:
        raise UserError(f"port {port}: choose a number from 1 to 65535")
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError as error:
            what = "is taken" if error.errno in (98, 48) else f"cannot be used ({error.strerror})"
            raise UserError(
                f"port {port} {what}; choose another with --port (make demo PORT=7861), or end what runs there"
            ) from None


def launch(folders: list[Path], port: int = PORT, trust_pickle: bool = False, runtime: str = "auto"):
    """Load the models and start serving; returns what closes it all, to be called at the end. Raises UserError."""
    check_port(port)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]  # nothing is fetched, and a desktop's ALL_PROXY=socks://… ends gradio's own client
    os.environ.update(SETTINGS)
    # uploads on their way are temporary files, too
    closing = contextlib.ExitStack()  # last in, first out, whatever goes wrong with one
    try:
        home = str(closing.enter_context(temporary_folder("best-image-models")))
        os.environ["GRADIO_TEMP_DIR"] = tempfile.tempdir = home
        closing.callback(setattr, tempfile, "tempdir", None)
        models, store = Models(folders, trust_pickle, runtime), Store(Path(home))
        closing.callback(models.close)
        import gradio as gr  # takes seconds, in which the models load in their own process
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        theme = gr.themes.Base(
            primary_hue="indigo", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
        )
        page = build(models, store)
        middleware = [
            Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]),
            Middleware(Guard, store=store),
        ]
        closing.callback(page.close, verbose=False)
        closing.callback(models.close)  # first, so that nobody waits for an answer while the page closes
        try:
            page.launch(
                server_name=HOST,
                server_port=port,
                share=False,
                inbrowser=False,
                quiet=True,
                prevent_thread_lock=True,
                show_error=False,
                max_file_size=MAX_BYTES,
                footer_links=[],
                enable_monitoring=False,
                run_history=False,
                mcp_server=False,
                pwa=False,
                ssr_mode=False,
                state_session_capacity=QUEUE,  # what gradio keeps of open pages, 30 kB each; its own limit is 10,000
                strict_cors=True,
                theme=theme,
                css=CSS,
                app_kwargs={"middleware": middleware},
            )
        except OSError as error:  # the port went to someone else meanwhile
            raise UserError(f"port {port} cannot be used ({error}); choose another with --port") from None
        store.keep()
    except BaseException:
        closing.close()
        raise
    return closing.close


class Plain:
    """A stream to the terminal, without control characters: what gradio tells of a request holds what was sent."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write("\n".join(printable(line) for line in text.split("\n")))

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


def find_models() -> list[Path]:
    """Every exported model in models/; the one of digits only where there is no other. Raises UserError where there
    is none.
    """
    found = sorted(path.parent for path in (ROOT / "models").glob("*/SHA256SUMS"))
    found = [folder for folder in found if folder.name != DIGITS] or found
    if not found:
        raise UserError("no exported model in models/; make train exports one (DATA=FOLDER: from your photos)")
    return found


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="Serve exported models to this machine's browser.")
    parser.add_argument(
        "models",
        type=local,
        nargs="*",
        metavar="MODEL",
        help="folders such as models/pets (default: all in models/, digits only where it is alone)",
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"default {PORT}")
    parser.add_argument("--trust-pickle", action="store_true", help="load model.pkl, which may run anything")
    parser.add_argument("--runtime", default="auto", metavar="R", help=RUNTIME)
    arguments = parser.parse_args()
    folders = arguments.models or find_models()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    sys.stdout, sys.stderr = Plain(sys.stdout), Plain(sys.stderr)
    stop = launch(folders, arguments.port, arguments.trust_pickle, arguments.runtime)
    try:
        signal.signal(signal.SIGINT, lambda *_: ended.set())  # also where a shell started it with Ctrl-C switched off
        print(
            f"{', '.join(relative(folder) for folder in folders)}: open http://{HOST}:{arguments.port} in a browser; "
            "Ctrl-C ends it",
            flush=True,
        )
        ended.wait()
    finally:
        stop()


if __name__ == "__main__":
    sys.exit(main())
