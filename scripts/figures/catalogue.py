"""Every chart of the report by name. A new chart is a function that returns a Drawing and a line here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from scripts.common.errors import DataMissing
from scripts.data.read_data import TablesMissing
from scripts.figures import (
    display_choose,
    display_data,
    display_family,
    display_frontier,
    display_history,
    display_limits,
    display_machines,
    display_measured,
    display_pets,
    display_phones,
    display_predicted,
    display_runtimes,
    display_sub_data,
    display_transfer,
    display_zoo,
    display_zoo_mistakes,
)
from scripts.figures.drawing import Chart, Drawing

_ALL = [
    Chart("inference_graph_1", partial(display_data.draw_all_families, "infer"), "timm"),
    Chart("inference_graph_2", partial(display_sub_data.draw_key_families, "infer"), "timm"),
    Chart("training_graph_1", partial(display_data.draw_all_families, "train"), "timm"),
    Chart("training_graph", partial(display_sub_data.draw_key_families, "train"), "timm"),
    Chart("speed_vs_parameters", display_data.draw_by_parameters, "timm"),
    Chart("convnext", display_sub_data.draw_convnext, "timm"),
    *(Chart(f"family_{key}", partial(display_family.draw_family, key), "timm") for key in display_family.FAMILIES),
    Chart("convnext_steps", partial(display_family.draw_steps, "convnext"), "timm"),
    Chart("frontier_gpu", partial(display_frontier.draw_frontier, "gpu", "an {}"), "timm"),
    Chart("frontier_cpu", partial(display_frontier.draw_frontier, "cpu", "a {}"), "timm"),
    Chart("frontier_then_now", display_frontier.draw_years, "timm"),
    Chart("history_card", display_history.draw, "measured"),
    Chart("machines_frontiers", display_machines.draw_frontiers, "timm"),
    Chart("machines_compiling", display_machines.draw_compiling, "timm"),
    Chart("machines_agreement", display_machines.draw_agreement, "measured"),
    Chart("machines_stable", display_machines.draw_stable, "measured"),
    Chart("machines_penalty", display_machines.draw_penalty, "measured"),
    Chart("machines_succession", display_machines.draw_succession, "measured"),
    Chart("machines_ours", display_machines.draw_ours, "measured"),
    Chart("measured_inference", partial(display_measured.draw_measured, "infer"), "measured"),
    Chart("measured_training", partial(display_measured.draw_measured, "train"), "measured"),
    Chart("measured_latency", display_measured.draw_latency, "measured"),
    Chart("runtimes_speed", display_runtimes.draw_speed, "measured"),
    Chart("runtimes_cost", display_runtimes.draw_cost, "measured"),
    Chart("measured_gpu_inference", partial(display_measured.draw_measured, "infer", gpu=True), "measured"),
    Chart("measured_gpu_training", partial(display_measured.draw_measured, "train", gpu=True), "measured"),
    Chart("measured_gpu_compiled", display_measured.draw_compiled, "measured"),
    Chart("predicted_inference", display_predicted.draw, "measured"),
    Chart("predicted_check", display_predicted.draw_check, "measured"),
    Chart("transfer_order", display_transfer.draw_order, "measured"),
    Chart("phones_frontier", display_phones.draw_frontier, "measured"),
    Chart("phones_quantised", display_phones.draw_quantised, "measured"),
    Chart("measured_limits", display_limits.draw_limits, "measured"),
    Chart("measured_curve", display_limits.draw_curve, "measured"),
    *(
        Chart(f"{prefix}_{name}", partial(draw, which), "trained")
        for prefix, which in (("zoo", "photos"), ("zoo_digits", "digits"))
        for name, draw in {
            "accuracy": display_zoo.draw_accuracy,
            "time": display_zoo.draw_time,
            "speed": display_zoo.draw_speed,
            "curves": display_zoo.draw_curves,
            "confusion": display_zoo_mistakes.draw_confusion,
            "roc": display_zoo_mistakes.draw_roc,
            "calibration": display_zoo_mistakes.draw_calibration,
        }.items()
    ),
    Chart("zoo_digits_mistakes", display_zoo_mistakes.draw_digits, "trained"),
    Chart("pets_curves", display_pets.draw_pets_curves, "trained"),
    Chart("pets_confusion", display_pets.draw_pets_confusion, "trained"),
    Chart("pets_losses", display_pets.draw_pets_losses, "trained"),
    Chart("pets_starts", display_pets.draw_starts, "trained"),
    *(
        Chart(f"choose_{name.replace('-', '_')}", partial(display_choose.draw_frontier, name), "trained")
        for name in (*display_choose.SETS, display_choose.OWN)
    ),
    Chart("choose_curve", display_choose.draw_curve, "trained"),
    Chart("cnn_curves", display_pets.draw_cnn_curves, "trained"),
    Chart("runs_compared", display_pets.draw_runs, "trained"),
    Chart("search_parallel", display_pets.draw_search_parallel, "trained"),
    Chart("search_importance", display_pets.draw_search_importance, "trained"),
]

CHARTS: dict[str, Chart] = {chart.name: chart for chart in _ALL}


def drawings() -> Iterator[tuple[str, Drawing]]:
    """(name, Drawing) of every chart that can be drawn here; those whose data are not at hand are left out."""
    for name, chart in CHARTS.items():
        try:
            drawing = chart.draw()
        except (DataMissing, TablesMissing):
            continue
        yield name, drawing
