"""How fast the findings and the picker are, on timm's real tables and in a real browser.

    TIMM_RESULTS=copy/of/tables python -m scripts.perf.picker

Prints: processor seconds for all findings over all tables (limit 10); milliseconds in Chromium from a change of the
form to the new answer on the screen, over CHANGES changes, the pause for the typing included, and from a change of
machine, its data's loading included (limit 100 for both); and kB of the picker's data and script, gzipped (limit 150).
The page is opened as a file.
"""

from __future__ import annotations

import gzip
import re
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import ASSETS, ROOT
from scripts.perf import verdict

CHANGES = 60
LIMITS = {"findings": 10.0, "answer": 100.0, "size": 150.0}  # seconds, milliseconds, kB

# resolves to milliseconds from the change until the frame after the answer was put in place
CHANGE = """async ([name, value]) => {
  const form = document.getElementById('picker'), field = form.elements[name];
  const before = Number(form.dataset.answered || 0);
  const start = performance.now();
  if (field.type === 'checkbox') field.checked = !field.checked; else field.value = value;
  field.dispatchEvent(new Event('input', {bubbles: true}));
  await new Promise((done) => {
    const watch = new MutationObserver(() => {
      if (Number(form.dataset.answered) <= before) return;
      watch.disconnect();
      requestAnimationFrame(() => setTimeout(done));
    });
    watch.observe(form, {attributes: true, attributeFilter: ['data-answered']});
  });
  return performance.now() - start; }"""


def page(folder: Path) -> tuple[Path, float]:
    """The picker's page with the real data in `folder`, as it lies in the site; and kB of data and script, gzipped."""
    from scripts.choose import files as picker_files

    for name in ("assets", "report", "charts/picker"):
        (folder / name).mkdir(parents=True)
    sizes = picker_files.write(folder / "charts" / "picker")
    script = 0
    for name in ("rules.js", "picker.js"):
        shutil.copyfile(ASSETS / name, folder / "assets" / name)
        script += len(gzip.compress((ASSETS / name).read_bytes(), 9))
    form = re.search(r"```\{=html\}\n(.*?)```", (ROOT / "report" / "picker.qmd").read_text(encoding="utf-8"), re.S)
    if not form:
        raise UserError("report/picker.qmd: no form in it")
    path = folder / "report" / "picker.html"
    path.write_text(
        f"<!doctype html><meta charset=utf-8><title>Choose a model</title>{form[1]}"
        "<script src=../assets/rules.js></script><script src=../assets/picker.js></script>",
        encoding="utf-8",
    )
    return path, (sum(sizes.values()) + script) / 1000


def changes(path: Path) -> tuple[list[float], list[float]]:
    """(milliseconds of each change of a need, of each first choice of a machine)."""
    from scripts.common.browser import window

    wanted = [
        *(("min_throughput", "500"), ("max_params", "60"), ("commercial", ""), ("min_top1", "80")),
        *(("replace", "resnet50"), ("replace", ""), ("max_size", "256"), ("pretrain-1", "")),
        *(("min_throughput", "1e9"), ("min_throughput", ""), ("max_params", ""), ("min_top1", "")),
    ]
    with window() as chrome:
        tab = chrome.new_page()
        tab.goto(path.as_uri())
        tab.wait_for_selector("#picker[data-answered]", timeout=20_000)
        tab.evaluate("document.querySelector('[name=pretrain]').id = 'pretrain-1'")
        machines = tab.evaluate("[...document.querySelectorAll('[name=machine] option')].map((option) => option.value)")
        first = [tab.evaluate(CHANGE, ["machine", machine]) for machine in machines[1:]]
        tab.evaluate(CHANGE, ["machine", machines[0]])
        return [tab.evaluate(CHANGE, wanted[i % len(wanted)]) for i in range(CHANGES)], first


@cli
def main(argv: list[str] | None = None) -> int:
    parser_of("scripts.perf.picker", __doc__, "python -m scripts.perf.picker").parse_args(argv)
    from scripts.findings import verdicts

    started, worked = time.perf_counter(), time.process_time()
    frame = verdicts.compute()
    wall, work = time.perf_counter() - started, time.process_time() - worked
    tables = frame[["vintage", "hardware", "part", "precision", "layout", "compiled", "torch"]].drop_duplicates()
    print(
        f"{len(frame)} findings over {len(tables)} configurations: {work:.1f} s of one processor, {wall:.1f} s in "
        f"all; limit {LIMITS['findings']:.0f} s"
    )
    with tempfile.TemporaryDirectory() as folder:
        path, size = page(Path(folder) / "site")
        spent, first = changes(path)
    for what, values in (("a change of a need", spent), ("a machine chosen first, with its data", first)):
        if values:
            print(
                f"picker, {what}: median {statistics.median(values):.0f} ms, worst {max(values):.0f} ms of "
                f"{len(values)}; limit {LIMITS['answer']:.0f} ms"
            )
    print(f"picker, data and script: {size:.1f} kB gzipped; limit {LIMITS['size']:.0f} kB")
    missed = work > LIMITS["findings"] or statistics.median(spent) > LIMITS["answer"] or size > LIMITS["size"]
    print(verdict(not missed))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
