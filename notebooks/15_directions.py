# %% [markdown]
# (nb-directions)=
# # Can a network tell where an earthquake will be?
#
# :::{glance}
# You learn
# : which source and which channels give a bearing, and how much of it is known without a record
#
# You need
# : {numref}`Chapter %s <nb-loeo>`; the words {term}`MAAE` and {term}`best constant`
# :::
#
# **In short.** Yes, if the source points there and the phase between components is kept: the mean angular error is
# then {glue:text}`short-vmd:.0f`°, and at stations that were never seen {glue:text}`short-unseen:.0f`° (worlds:
# {glue:text}`short-worlds`; {glue:text}`short-source`). Knowing only the station gives {glue:text}`short-station:.0f`°, so
# 90° is not the error of chance. From power alone it is {glue:text}`short-power:.0f`°. An estimator that is not trained
# at all reaches {glue:text}`short-polarisation:.0f`°: a network is not what is missing.
#
# Networks trained on windows before earthquakes are asked for the bearing of the epicentre. In one synthetic Earth
# the planted field points there, in others it cannot. A direction also has an error by chance, and a smaller one
# for whoever only knows the station.
#
# ## Overview
# **Question.** Which source, which channels and which way of asking give a bearing, and how much of it is known
# without the record? **Input.** Seeds; no data. **Output.** `results/<profile>/15_directions.json`.

# %% tags=["parameters"]
profile = "light"  # type: str  # smoke | light | full
worlds = 0         # type: int  # worlds of each kind; 0 keeps the profile's number
snr = 5.0          # type: float  # planted amplitude, in units of the world's sigma0
workers = 2        # type: int  # worlds computed at the same time

# %%
# inputs: full
import numpy as np
import pandas as pd

from lib import direction_experiments, report, train
from lib.direction_experiments import DirectionJob

report.begin("15_directions", profile)
n_worlds = worlds or {"smoke": 1, "light": 1, "full": 20}[profile]
heads = ("sincos", "vm") if profile == "smoke" else ("classes", "sincos", "vm", "axial")
few = heads if profile == "full" else ("sincos", "vm")
size = {"smoke": {"n_windows": 60, "folds": 2, "epochs": 2, "permutations": 199},
        "light": {"n_windows": 280, "folds": 3, "epochs": 10},
        "full": {"n_windows": 480, "folds": 5, "epochs": 20}}[profile]
stations = {"smoke": 2, "light": 3, "full": None}[profile]

# %% [markdown]
# ## The worlds and the questions
# A buried vertical magnetic dipole (`vmd`) gives a horizontal field along the line to the epicentre; its vertical
# part tells which of the two ways. A horizontal source (`hed`) is polarised along a random line, and `scalar`
# raises the power of all components alike: both can be detected, neither knows the bearing. In the
# *null* world nothing is planted. *Power only* is the dipole's world seen through power alone.
#
# The light ConvNeXt sees the power of H, D and Z, and the real and imaginary coherency of H and of D with Z, seven
# channels. It answers in four ways: as sectors (*classes*, decoded by their vector mean), as a point on the circle
# (*sincos*), as a point with a learned concentration (*vm*, von Mises), or as a line without a sense (*axial*).
# The pictures are 32 × 32 pixels up to 125 mHz, which is what the transform of one hour resolves.

# %% tags=["show"]
jobs = []
for i in range(n_worlds):
    planted = {"seed": 6000 + i, "snr": snr}
    jobs += [DirectionJob(**planted | size, source=source, heads=heads) for source in ("vmd", "hed", "scalar")]
    jobs += [DirectionJob(**planted | size | {"folds": stations}, source=source, heads=few, protocols=("P4",))
             for source in ("vmd", "hed")]
    jobs += [DirectionJob(**planted | size, phase=False, heads=few),
             DirectionJob(**planted | size | {"snr": 0.0}, heads=few)]

# %%
executor = train.pool(workers) if profile != "smoke" else None
rows = direction_experiments.run_jobs(jobs, executor)
if executor:
    executor.shutdown()
rows["world"] = rows.source.where(rows.snr > 0, "null").where(rows.phase, "power only")
report.glue("direction-worlds", n_worlds)
report.glue("direction-windows", int(rows.n_windows.median()))
report.glue("direction-events", int(rows.n_events.median()))

# %% [markdown]
# Each world has about {glue:text}`direction-windows` windows before {glue:text}`direction-events` earthquakes;
# number of worlds of each kind: {glue:text}`direction-worlds`. Earthquakes are held out whole (P2), or stations (P4).
# The epochs are chosen on an inner split of the training earthquakes.
#
# ## Errors when earthquakes are held out
# The error is the mean absolute angle between answer and truth. For bearings that are spread evenly it is 90° for
# any answer; bearings are not spread evenly, because faults and coasts are not. Two floors say what that is worth:
# the *constant* direction that is best in the training part, and the mean bearing of the *station*'s other
# earthquakes. Two comparators see the record: the *polarisation* of H and D, with the sense from Z, which
# is not trained at all, and a *linear* regression on the channels in eight bands.

# %%
order = ["vmd", "power only", "hed", "scalar", "null"]
cells = rows.groupby(["protocol", "world", "model"]).agg(
    maae=("maae_deg", "mean"), low=("low", "mean"), high=("high", "mean"), axial=("axial_deg", "mean"),
    axial_low=("axial_low", "mean"), axial_high=("axial_high", "mean"), p=("p", "median"), v_p=("v_p", "median"),
    gain=("gain", "mean"), gain_low=("gain_low", "mean"), gain_high=("gain_high", "mean"), kappa=("kappa", "mean"),
    n_worlds=("seed", "nunique"))
names = [m for m in (*heads, "polarisation", "linear", "constant", "station") if m != "axial"]
shown = cells.maae.loc["P2"].unstack("world").loc[names, order]
report.table(shown.rename_axis("answer by"), "maae", "Mean absolute angular error in degrees under P2; chance is 90. "
             "Networks first, then comparators, then floors.", {name: "{:.1f}" for name in order})

# %%
at = rows[(rows.protocol == "P2") & (rows.seed == rows.seed.min())].set_index(["world", "model"])
drawn = []
for world in order:
    for model in ("sincos", "vm"):
        row = at.loc[world, model]
        mean = cells.loc["P2", world, model]
        others = {m: cells.maae["P2", world, m] for m in ("polarisation", "linear") if (world, m) in at.index}
        ticks = {m: cells.maae["P2", world, m] for m in ("constant", "station")}
        drawn.append({"world": world, "backbone": model, "score": mean.maae, "interval": [mean.low, mean.high],
                      "p": mean.p, "floors": ticks, "comparators": others, "n_windows": row.n_windows,
                      "n_events": row.n_events, "n_effective": row.n_events, "certificate": row.certificate})

# %%
fig = report.plot_scores(drawn, label="mean absolute angular error (°)", chance=90)
report.figure(fig, "directions-errors",
              caption="Angular error under P2 with intervals over earthquakes, for a point on the circle (sincos) and "
                      "with a learned concentration (vm). Ticks are the floors, diamonds the comparators; dashed: "
                      "chance. Smaller is better.",
              alt="Dot plot with intervals: small errors for the dipole with phase, near the floors or above them in "
                  "every other world.")

# %%
for name, key in {"vmd": ("vmd", "sincos"), "power": ("power only", "sincos"), "hed": ("hed", "sincos"),
                  "scalar": ("scalar", "sincos"), "null": ("null", "sincos")}.items():
    report.glue(f"maae-{name}", float(cells.maae["P2", *key]))
    report.glue(f"gain-{name}-low", float(cells.gain_low["P2", *key]))
    report.glue(f"gain-{name}-high", float(cells.gain_high["P2", *key]))
report.glue("maae-polarisation", float(cells.maae["P2", "vmd", "polarisation"]))
report.glue("maae-linear", float(cells.maae["P2", "vmd", "linear"]))
report.glue("maae-station", float(cells.maae["P2", "vmd", "station"]))

# %% [markdown]
# With phase the network points at the dipole with a mean error of {glue:text}`maae-vmd:.0f`°. From power alone it
# is {glue:text}`maae-power:.0f`°: a source to the north and one to the south give the same power. The untrained
# polarisation estimator reaches {glue:text}`maae-polarisation:.0f`° and a linear regression
# {glue:text}`maae-linear:.0f`°, so the network is not needed for it. Where the field does not know the bearing the
# network scores {glue:text}`maae-hed:.0f`° (`hed`) and {glue:text}`maae-scalar:.0f`° (`scalar`), and
# {glue:text}`maae-null:.0f`° where nothing is planted. Knowing the station alone gives {glue:text}`maae-station:.0f`°
# in the same world.
#
# ## Against what is known without the record
# The gain is how much smaller the error is than that of the better floor, on the same windows, with a paired
# interval over earthquakes. Skill is claimed only where the whole interval lies above zero. p comes from exchanging
# the bearings of whole earthquakes, and from the V test of one mean error an earthquake.

# %%
gain = cells.loc["P2"].loc[[(w, m) for w in order for m in (*heads, "polarisation", "linear")
                            if (w, m) in cells.loc["P2"].index]]
gain = gain[["gain", "gain_low", "gain_high", "p", "v_p", "n_worlds"]]
gain.index = [f"{world}: {model}" for world, model in gain.index]
gain.columns = ["gain (°)", "low", "high", "p (exchange)", "p (V test)", "worlds"]
report.table(gain.rename_axis("world and answer"), "direction-gain",
             "Gain over the better floor under P2 with its interval, and two p-values (median over worlds). For axial, "
             "all are of lines.", {"gain (°)": "{:+.1f}", "low": "{:+.1f}", "high": "{:+.1f}",
                                   "p (exchange)": "{:.3f}", "p (V test)": "{:.2g}"})

# %% [markdown]
# For the dipole the gain of *sincos* lies between {glue:text}`gain-vmd-low:+.0f`° and {glue:text}`gain-vmd-high:+.0f`°,
# for `hed` between {glue:text}`gain-hed-low:+.0f`° and {glue:text}`gain-hed-high:+.0f`°. A small p alone is no skill at
# pointing: exchanging bearings between stations also rewards an answer that knows the station.
#
# ## Lines without a sense
# A polarisation has no arrow. The axial error forgets the sense; its chance is 45°.

# %%
axial = cells.axial.loc["P2"].unstack("world").reindex([*heads, "polarisation", "linear", "constant", "station"])[order]
report.table(axial.rename_axis("answer by"), "axial", "Mean axial error in degrees under P2; chance is 45.",
             {name: "{:.1f}" for name in order})

# %%
report.glue("axial-vmd", float(axial["vmd"]["sincos"]))
report.glue("axial-power", float(axial["power only"]["sincos"]))
report.glue("axial-hed", float(axial["hed"]["sincos"]))

# %% [markdown]
# The line is known to {glue:text}`axial-vmd:.0f`° with phase and {glue:text}`axial-power:.0f`° from power alone in the
# dipole's world, and to {glue:text}`axial-hed:.0f`° for the random polarisation, where the planted line has nothing to
# do with the bearing.
#
# ## How sure the network says it is
# The head *vm* learns a concentration κ: 0 says that all directions are alike, 10 a spread of 18°. Training on
# directions that nothing predicts should take it towards 0.

# %%
sure = pd.DataFrame({"learned concentration": cells.kappa.loc["P2"].unstack("world").loc["vm", order],
                     "mean absolute error (°)": cells.maae.loc["P2"].unstack("world").loc["vm", order]})
report.table(sure.rename_axis("world"), "kappa", "Mean learned concentration on test windows, head vm, P2.",
             {"learned concentration": "{:.2f}", "mean absolute error (°)": "{:.1f}"})
report.glue("kappa-vmd", float(sure["learned concentration"]["vmd"]))
report.glue("kappa-null", float(sure["learned concentration"]["null"]))

# %% [markdown]
# It is {glue:text}`kappa-vmd:.2f` in the dipole's world and {glue:text}`kappa-null:.2f` where nothing is planted.
#
# ## Stations that were never seen
# Under P4 the test stations give no training window, so the floor of the station falls back to the constant. Stations
# that see the same earthquake lie on both sides; the links are counted.

# %%
loso = cells.maae.loc["P4"].unstack("world")[["vmd", "hed"]].reindex(
    [*[m for m in few if m != "axial"], "polarisation", "linear", "constant", "station"])
report.table(loso.rename_axis("answer by"), "loso", "Mean absolute angular error in degrees under P4 (stations held "
             "out); chance is 90.", {name: "{:.1f}" for name in loso})

# %%
first = rows[(rows.world == "vmd") & (rows.seed == rows.seed.min())].drop_duplicates("protocol").set_index("protocol")
links = pd.DataFrame(first.certificate.to_dict()).T.rename_axis("protocol")
report.table(links, "direction-links", "Linked pairs of training and test windows in the first world.",
             {kind: "{:,}" for kind in links})
report.glue("loso-vmd", float(loso["vmd"]["sincos"]))
report.glue("loso-hed", float(loso["hed"]["sincos"]))
report.glue("loso-constant", float(loso["vmd"]["constant"]))

# %% [markdown]
# At unseen stations the error for the dipole is {glue:text}`loso-vmd:.0f`°, with a constant at
# {glue:text}`loso-constant:.0f`°: the rule does not belong to the stations at which it was learned. For `hed` it
# is {glue:text}`loso-hed:.0f`°.
#
# ## The gate: nothing planted

# %%
null = cells.loc["P2", "null"].reindex(names)[["maae", "low", "high"]].dropna()
null["covers 90"] = np.where((null.low <= 90) & (null.high >= 90), "yes", "no")
null.columns = ["mean absolute error (°)", "low", "high", "covers 90"]
report.table(null.rename_axis("answer by"), "direction-null", "The null world under P2, "
             "intervals over earthquakes.", {name: "{:.1f}" for name in null.columns[:3]})
networks = rows[(rows.world == "null") & (rows.kind == "network")]
report.glue("null-gains", int((networks.gain_low > 0).sum()))
report.glue("null-fits", len(networks))
report.glue("null-constant", float(null["mean absolute error (°)"]["constant"]))
report.glue("null-station", float(null["mean absolute error (°)"]["station"]))

# %% [markdown]
# Where nothing is planted the constant direction scores {glue:text}`null-constant:.0f`° and the station's usual bearing
# {glue:text}`null-station:.0f`°. Of {glue:text}`null-fits` network results, {glue:text}`null-gains` gain on the better
# floor with a whole interval. A network may come below 90° here without a record to thank for it: 90° is the
# chance of bearings that are spread evenly, and these are not.
#
# ## The full profile

# %%
full = report.load_results("15_directions", "full", required=False) if profile != "full" else None
stored = cells.reset_index().astype(object).where(cells.reset_index().notna(), None).to_dict("records")
best = pd.DataFrame(full["cells"] if full else stored).astype({"maae": float})
at = best.set_index(["protocol", "world", "model"])
said = "No run of the full profile (more worlds and windows, five folds, 20 epochs) is committed."
if full:
    report.table(at.maae["P2"].unstack("world").loc[names, order].rename_axis("answer by"), "maae-full",
                 "Mean absolute angular error in degrees under P2, committed full run.",
                 {name: "{:.1f}" for name in order})
    said = (f"The committed full run holds {int(best.n_worlds.min())} worlds of each kind (by itself the profile runs "
            f"20), each with about {full['n_windows']} windows before {full['n_events']} earthquakes.")

# %%
for name, key in {"vmd": ("P2", "vmd", "sincos"), "unseen": ("P4", "vmd", "sincos"), "station": ("P2", "vmd", "station"),
                  "power": ("P2", "power only", "sincos"), "null": ("P2", "null", "sincos"),
                  "polarisation": ("P2", "vmd", "polarisation")}.items():
    report.glue(f"short-{name}", float(at.maae[key]))
report.glue("short-worlds", int(best.n_worlds.min()))
report.glue("short-source", "committed full run" if full else "this run")
line = at.axial["P2", "power only"]
report.glue("direction-full", said)
report.glue("short-line", "What power alone may hold is the line: asked for lines without a sense, the network errs by "
            f"{line['axial']:.0f}° there, the usual line of the station by {line['station']:.0f}°, chance by 45°."
            if "axial" in line else "")

# %% [markdown]
# {glue:text}`direction-full` Over all worlds ({glue:text}`short-source`) the network errs by {glue:text}`short-vmd:.0f`°
# where the field points to the epicentre, by {glue:text}`short-power:.0f`° from power alone and by {glue:text}`short-null:.0f`°
# where nothing is planted; the station's usual bearing errs by {glue:text}`short-station:.0f`°.
# {glue:text}`short-line`
#
# ## Save

# %%
report.save_results("15_directions", {"cells": stored, "certificates": links.to_dict("index"), "snr": snr,
                                      "n_windows": int(rows.n_windows.median()),
                                      "n_events": int(rows.n_events.median())})

# %% [markdown]
# ## Take-away
# - A bearing can be learned from one station if the source makes one and the phase between components is kept.
# - An estimator without training does as well on such a source. A network is not what is missing.
# - An angular error means little without the best constant direction and the usual bearing of the station.
#
# ## Exercises
# **1. Fewer nanotesla.** `make run NB=15_directions P="-p profile smoke -p snr 1" OUT=out.ipynb`. Which of the
# estimators loses its way first, and is it the one with most parameters?
#
# **2. A station at the coast.** All earthquakes lie in one sector as seen from your station. What is the best
# constant's error, and what would an error of 40° be worth?
#
# **3. Lines without arrows.** For which claim is the axial error enough, and for which does a published 72° need
# the arrow as well?
