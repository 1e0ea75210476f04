"""A fifth study: is an earthquake near? Wavelet images of 10 to 100 mHz, tested in purged blocks of time."""

import dataclasses

from lib import config, studies

STUDY = dataclasses.replace(
    studies.STUDIES["convnext"],
    name="pulsations",
    title="ConvNeXt on wavelet images of 10 to 100 mHz",
    source="this file",
    targets=("event",),
    cwt=studies.CWTSpec(freq_hz=(0.01, 0.1), n_scales=128, n_times=216),
    loss=studies.LossSpec(kind="plain"),
    evaluation=studies.EvaluationSpec(protocol="P5", folds=5),
)
studies.STUDIES["pulsations"] = STUDY
for profile, n in {"light": 72, "smoke": 36}.items():      # sizes of convnext; images of n x n
    sizes = {k: v for k, v in config.PROFILES[profile]["convnext"].items() if not k.startswith("stft.")}
    config.PROFILES[profile]["pulsations"] = sizes | {"cwt.n_scales": n, "cwt.n_times": n}
