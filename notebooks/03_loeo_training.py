# %% [markdown]
# (nb-loeo)=
# # What does leave-one-event-out report, with a signal and without one?
#
# We train the same networks on two synthetic Earths that share every sample of their background. In the
# *planted* world a weak magnetic source precedes each earthquake; in the *null* world nothing does. A
# protocol is worth its name if it finds nothing in the second and the planted signal in the first.
#
# ## Overview
# **Question.** Which part of a score comes from the record, which from the way windows are split?
# **Input.** The worlds of {numref}`Chapter %s <nb-data>`, turned into images as in
# {numref}`Chapter %s <nb-spectrograms>`. **Output.** `results/<profile>/03_loeo_training.json`.

# %% tags=["parameters"]
profile = "light"  # type: str  # smoke | light | full
folds = 0          # type: int  # number of folds; 0 keeps the profile's
snr = 2.0          # type: float  # amplitude planted in the second world, in units of its sigma0
seed = 42          # type: int  # names the world, the folds and every draw
workers = 2        # type: int  # folds trained at the same time

# %%
import dataclasses
import itertools

import pandas as pd

from lib import config, dataset, evaluate, report, splits, synthetic, train
from lib.earth.windows import class_counts
from lib.report import charts

report.begin("03_loeo_training", profile)

# %% [markdown]
# ## Two worlds, one set of windows
# The amplitude of the planted source is the only difference. Windows, stations, folds and networks are the
# same in both, so every difference below is paired.

# %%
overrides = {"seed": seed} | ({"evaluation.folds": folds} if folds else {})
studies = {world: config.load("convnext", profile, overrides | {"world.snr": amplitude})
           for world, amplitude in {"null": 0.0, "planted": snr}.items()}
data = {world: dataset.open_dataset(synthetic.make_dataset(study)) for world, study in studies.items()}
windows = data["planted"].windows
assert windows.equals(data["null"].windows)

# %%
counts = class_counts(windows)
report.table(counts, "classes", "Windows, stations, earthquakes and quiet blocks of each magnitude class.")

# %% [markdown]
# Half of the windows are quiet, and each is matched to an event window in station, hour, season and Kp. Large
# earthquakes are few: their number, not the number of windows, limits what can be learned.

# %%
report.glue("n-windows", len(windows))
report.glue("n-events", windows.event_id[windows.event_id != ""].nunique())
report.glue("n-stations", windows.station.nunique())

# %% [markdown]
# ## What each protocol cuts
# Before any network is trained, the split itself can be examined. A certificate counts pairs of training and
# test windows that share something a network could recognise instead of a precursor.

# %%
protocols = ["P0", "P1", "P2", "P4"]
base = {(world, protocol): evaluate.baselines(studies[world], data[world], protocol)
        for world, protocol in itertools.product(studies, protocols)}

# %%
links = pd.DataFrame({p: base["planted", p]["certificate"] for p in protocols}).T
links.insert(0, "protocol", [f"{p}: {splits.PROTOCOLS[p].name}" for p in protocols])
report.table(links.set_index("protocol"), "certificates",
             "Linked pairs of training and test windows, summed over folds, for each protocol.")

# %% [markdown]
# Random folds (P0) and folds by station and date (P1, the published rule) leave windows of one and the same
# earthquake on both sides. Only P2 cuts that link; none of the four cuts every shared day.
#
# ## Training
# Every fold is a network of its own, stopped early on an inner split of its *training* events. Its test
# windows are opened once. Finished folds are kept on disk: an interrupted run continues where it was.

# %%
executor = train.pool(workers)
predictions = {(world, "convnext", protocol): train.cross_validate(
                   studies[world], data[world], protocol, executor, keep_weights=protocol == "P2")
               for world, protocol in base}

# %%
others = {name: "network.backbone" for name in ("efficientnet", "vgg16")}
for world, backbone in itertools.product(studies, others):
    network = dataclasses.replace(studies[world].network, backbone=backbone)
    study = dataclasses.replace(studies[world], network=network)
    for protocol in (["P2"] if profile != "full" else protocols):
        predictions[world, backbone, protocol] = train.cross_validate(study, data[world], protocol, executor)
executor.shutdown()

# %% [markdown]
# In the light profile the other two backbones run under P2 alone, so that the book builds in minutes on two
# cores; the full profile runs all three under every protocol.
#
# ## Scores
# The score is the exact multi-class Matthews correlation {cite:p}`gorodkin2004` over all windows. Bars are
# 95 % intervals from resampling earthquakes; p-values come from permuting their labels.

# %%
rows = []
for (world, backbone, protocol), table in predictions.items():
    network = dataclasses.replace(studies[world].network, backbone=backbone)
    study = dataclasses.replace(studies[world], network=network)
    rows += evaluate.score_rows(study, data[world], table, base[world, protocol], world=world)

# %%
magnitude = [row for row in rows if row["target"] == "magnitude"]
rows_checked = report.scoreboard(magnitude, "Matthews correlation for magnitude class, all windows.",
                                 "scores-magnitude")

# %%
azimuth = [row for row in rows if row["target"] == "azimuth"]
rows_checked = report.scoreboard(azimuth, "Matthews correlation for azimuth class, all windows.",
                                 "scores-azimuth")
