# %% [markdown]
# (nb-loeo)=
# # What does leave-one-event-out report, with a signal and without one?
#
# :::{glance}
# You learn
# : how much of a score a way of splitting makes by itself; how to read a certificate, a floor and a scoreboard
#
# You need
# : {numref}`Chapter %s <nb-spectrograms>`; the words {term}`fold`, {term}`floor` and {term}`comparator`
# :::
#
# **In short.** With whole earthquakes held out (P2) the network's Matthews correlation for magnitude is
# {glue:text}`null-magnitude-score:.2f` ({glue:text}`null-magnitude-low:.2f` to
# {glue:text}`null-magnitude-high:.2f`) where there is nothing to find and {glue:text}`planted-magnitude-score:.2f`
# ({glue:text}`planted-magnitude-low:.2f` to {glue:text}`planted-magnitude-high:.2f`) where a signal is planted; the
# highest floor is {glue:text}`planted-magnitude-floor:.2f`. Under random folds a floor that sees no record scores
# {glue:text}`floor-P0:.2f` in both worlds. And the best simple detector, with
# {glue:text}`magnitude-best-comparator:.2f`, does as well as the best of three networks,
# {glue:text}`magnitude-best-network:.2f`.
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
scheduler = ""     # type: str  # address of a dask scheduler, for example tcp://host:8786; else this machine

# %%
import itertools

import pandas as pd

from lib import certificate, config, dataset, evaluate, report, splits, synthetic, train
from lib.earth.windows import class_counts
from lib.studies import MAGNITUDE_CLASSES

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
report.table(class_counts(windows).rename_axis("magnitude class"), "loeo-classes",
             "Windows, stations, earthquakes and quiet blocks of each magnitude class.")

# %%
report.glue("n-windows", len(windows))
report.glue("n-events", windows.event_id[windows.event_id != ""].nunique())
report.glue("n-blocks", windows.block_id[windows.block_id != ""].nunique())

# %% [markdown]
# Half of the {glue:text}`n-windows` windows are quiet, and each is matched to an event window in station, hour,
# season and Kp. The {glue:text}`n-events` earthquakes and {glue:text}`n-blocks` quiet blocks, not the number of
# windows, limit what can be learned.
#
# ## What each protocol cuts
# Before any network is trained, the split itself can be examined. A certificate counts pairs of training and
# test windows that share something a network could recognise instead of a precursor.

# %% tags=["show"]
protocols = ["P0", "P1", "P2", "P4"]
base = {}
for world, protocol in itertools.product(studies, protocols):
    base[world, protocol] = evaluate.baselines(studies[world], data[world], protocol,
                                               floors_of=base.get(("null", protocol)))

# %%
links = pd.DataFrame({p: {kind: base["planted", p]["certificate"][kind] for kind in certificate.LINKS}
                      for p in protocols}).T.rename_axis("protocol")
report.table(links, "certificates", "Linked pairs of training and test windows, summed over folds.",
             {kind: "{:,}" for kind in links})

# %%
meaning = pd.DataFrame({"what is held out": {p: splits.PROTOCOLS[p] for p in protocols}}).rename_axis("protocol")
report.table(meaning, "run-protocols", "The four protocols, by the links they cut.")

# %% [markdown]
# Random folds (P0) and folds by station and date (P1, the published rule) leave windows of one and the same
# earthquake on both sides. P2 cuts that link. None of the four cuts every shared day: other stations of the
# network record the same external field.
#
# ## Training
# Every fold is a network of its own, stopped early on an inner split of its *training* events. Its test
# windows are opened once. Finished folds are kept on disk: an interrupted run continues where it was. P2 and P4
# hold out events and stations in groups, one group a fold; one earthquake a fold is the same call without a number
# of folds.

# %% tags=["show"]
runs = [(world, "convnext", p) for world, p in base]
extra = protocols if profile == "full" else ["P2"]
runs += [(world, name, p) for world in studies for name in ("efficientnet", "vgg16") for p in extra]
planned = {run: config.load("convnext", profile, overrides | {
    "world.snr": studies[run[0]].world.snr, "network.backbone": run[1]}) for run in runs}

# %% tags=["show"]
executor = train.pool(workers, scheduler)
predictions = {(world, backbone, p): train.cross_validate(
                   planned[world, backbone, p], data[world], p, executor, keep_weights=p == "P2")
               for world, backbone, p in planned}

# %% [markdown]
# In the light profile the other two backbones run under P2 alone, so that the book builds in minutes on two
# cores; the full profile runs all three under every protocol. The light networks are small relatives of the
# published ones, with the same two heads.
#
# ## Scores
# The score is the exact multi-class Matthews correlation {cite:p}`gorodkin2004` over all windows. Bars are
# 95 % intervals from resampling earthquakes; p-values come from permuting their labels against the fixed
# predictions.

# %%
rows = []
for (world, backbone, p), table in predictions.items():
    rows += evaluate.score_rows(planned[world, backbone, p], data[world], table, base[world, p], world=world)
find = {(r["world"], r["backbone"], r["protocol"], r["target"]): r for r in rows}

# %%
shown = [find[w, "convnext", p, "magnitude"] for p in protocols for w in studies]
fig = report.plot_scores(shown, label="Matthews correlation, magnitude class")
report.figure(fig, "scores",
              caption="Magnitude class under four protocols, on the world without a signal and on the same world "
                      "with one. Ticks are floors, predictors that cannot know the physics; diamonds are "
                      "comparators, simple detectors that can. Dashed line: chance.",
              alt="Dot plot with intervals: the network scores near zero in the null world and about one half in "
                  "the planted world under every protocol; floors reach one half except under P2.")

# %% [markdown]
# The same scores, with all floors but the highest left out, are the message of this book in one picture.

# %%
cuts = {"P0": "windows", "P1": "station-\ndays", "P4": "stations", "P2": "earth-\nquakes"}
panels = {title: [find[world, "convnext", p, "magnitude"] for p in cuts]
          for world, title in (("null", "Nothing to find"), ("planted", "A signal is planted"))}
fig = report.plot_cuts(panels, cuts, "Matthews correlation")
report.figure(fig, "cuts",
              caption="What a score is worth depends on what the folds hold out. Dots: one network's score for the "
                      "magnitude class, with 95 % intervals over earthquakes. Grey: the highest floor, a predictor "
                      "that sees dates, stations and indices but no record. Only where whole earthquakes are held out "
                      "does the planted signal stand clear of what can be known without a magnetometer.",
              alt="Two panels of four protocols. Left, nothing to find: the network is near zero under every protocol, "
                  "while a grey bar, the highest floor, reaches one half under three and is small under P2. Right, a "
                  "signal is planted: the network is near one half everywhere and stands clear of the bar only "
                  "under P2.")

# %%
for p in protocols:
    row = find["null", "convnext", p, "magnitude"]
    report.glue(f"floor-{p}", row["floors"][row["best_floor"]])
    report.glue(f"floor-name-{p}", row["best_floor"].replace("_", " "))
    report.glue(f"null-{p}", row["score"])

# %% [markdown]
# Look at the floors first. Under P0 a predictor that sees no record at all, *{glue:text}`floor-name-P0`*, scores
# {glue:text}`floor-P0:.2f` in a world with nothing to find, and under P1 {glue:text}`floor-P1:.2f`: windows of
# one earthquake lie on both sides, and knowing the date is enough. Leave-one-station-out (P4) leaves the same
# opening, {glue:text}`floor-P4:.2f`. Only when earthquakes are held out whole (P2) do the floors fall to
# {glue:text}`floor-P2:.2f`. The small network scores {glue:text}`null-P0:.2f` under P0 in the same world; whether a
# network uses such an opening depends on its size, its training and on what the record tells about the date.

# %%
for world, target in itertools.product(studies, ("magnitude", "azimuth")):
    row = find[world, "convnext", "P2", target]
    report.glue(f"{world}-{target}-score", row["score"])
    report.glue(f"{world}-{target}-low", row["interval"][0])
    report.glue(f"{world}-{target}-high", row["interval"][1])
    report.glue(f"{world}-{target}-floor", row["floors"][row["best_floor"]])
    report.glue(f"{world}-{target}-p", row["p"])
    covers = row["interval"][0] <= 0 <= row["interval"][1]
    report.glue(f"{world}-{target}-covers", "covers" if covers else "does not cover")

# %% [markdown]
# Under P2 the null world returns {glue:text}`null-magnitude-score:.3f` for magnitude, with an interval from
# {glue:text}`null-magnitude-low:.3f` to {glue:text}`null-magnitude-high:.3f` that
# {glue:text}`null-magnitude-covers` chance. The planted world returns
# {glue:text}`planted-magnitude-score:.3f` ({glue:text}`planted-magnitude-low:.3f` to
# {glue:text}`planted-magnitude-high:.3f`); its highest floor is {glue:text}`planted-magnitude-floor:.3f`.

# %%
shown = [find[w, "convnext", p, "azimuth"] for p in protocols for w in studies]
fig = report.plot_scores(shown, label="Matthews correlation, azimuth class")
report.figure(fig, "scores-azimuth",
              caption="Azimuth class under four protocols, marks as in {numref}`fig-scores`.",
              alt="Dot plot with intervals: near zero in the null world, about one third in the planted world.")

# %% [markdown]
# For azimuth the null world returns {glue:text}`null-azimuth-score:.3f` (interval
# {glue:text}`null-azimuth-covers` chance) and the planted world {glue:text}`planted-azimuth-score:.3f`
# ({glue:text}`planted-azimuth-low:.3f` to {glue:text}`planted-azimuth-high:.3f`; highest floor
# {glue:text}`planted-azimuth-floor:.3f`). Most of that is telling quiet from event: see the directions below.
#
# ## The scoreboards
# No score stands alone: floors, counts and links are part of it.

# %%
order = [(w, b, p) for b in ("convnext", "efficientnet", "vgg16") for p in protocols for w in studies]
board = report.scoreboard([find[(*key, "magnitude")] for key in order if (*key, "magnitude") in find],
                          "Matthews correlation for magnitude class, all windows.", "board-magnitude")

# %%
board = report.scoreboard([find[(*key, "azimuth")] for key in order if (*key, "azimuth") in find],
                          "Matthews correlation for azimuth class, all windows.", "board-azimuth")

# %% [markdown]
# ## Do the networks beat simple detectors?
# A comparator is logistic regression on a few numbers of the image: the mean power in bands, an 8 × 8
# thumbnail, or the features of an untrained network.

# %%
compared = pd.DataFrame({
    f"{target}, {world}": {**{name: find[world, name, "P2", target]["score"] for name in
                              ("convnext", "efficientnet", "vgg16")},
                           **find[world, "convnext", "P2", target]["comparators"]}
    for target in ("magnitude", "azimuth") for world in studies}).rename_axis("detector")
report.table(compared, "comparators", "Matthews correlation under P2: networks above, comparators below.",
             {column: "{:.3f}" for column in compared})

# %%
networks = ("convnext", "efficientnet", "vgg16")
for target in ("magnitude", "azimuth"):
    simple = find["planted", "convnext", "P2", target]["comparators"]
    clear = [name for name in networks if find["planted", name, "P2", target]["interval"][0] > max(simple.values())]
    report.glue(f"{target}-best-comparator", max(simple.values()))
    report.glue(f"{target}-best-network", max(find["planted", name, "P2", target]["score"] for name in networks))
    report.glue(f"{target}-clear", len(clear))

# %% [markdown]
# In the planted world the best comparator scores {glue:text}`magnitude-best-comparator:.3f` in magnitude and the best
# of three networks {glue:text}`magnitude-best-network:.3f`; in azimuth it is
# {glue:text}`azimuth-best-comparator:.3f` and {glue:text}`azimuth-best-network:.3f`. The number of networks whose
# whole interval lies above the best comparator is {glue:text}`magnitude-clear` of three in magnitude and
# {glue:text}`azimuth-clear` in azimuth. A few numbers of the image do about as well as a network here.
#
# ## What is confused with what

# %%
counts = find["planted", "convnext", "P2", "magnitude"]["confusion"]
fig = report.plot_confusion(counts, MAGNITUDE_CLASSES)
report.figure(fig, "confusion", caption="Counts of true (rows) and predicted (columns) magnitude class in the "
                                        "planted world under P2.",
              alt="Confusion matrix of four magnitude classes: most quiet and large windows and more than half of the "
                  "moderate ones are on the diagonal, medium ones are spread over their neighbours.")

# %% [markdown]
# The amplitude of the planted source grows with magnitude, so that neighbouring classes are confused most.
#
# ## Power alone cannot tell north from south
# Spectrograms keep power and drop phase. A source to the north and one to the south give the same power in H,
# D and Z; the sign of the cross-spectrum with Z differs. We add those channels and train once more.

# %%
phase = config.load("convnext", profile, overrides | {"world.snr": snr, "stft.phase": True})
phase_data = dataset.open_dataset(synthetic.make_dataset(phase))
phase_rows = evaluate.score_rows(
    phase, phase_data, train.cross_validate(phase, phase_data, "P2", executor),
    evaluate.baselines(phase, phase_data, "P2", floors_of=base["planted", "P2"]), world="planted, with phase")
executor.shutdown()

# %%
plain, added = find["planted", "convnext", "P2", "azimuth"], phase_rows[1]
directions = pd.DataFrame({name: {key: row[key] for key in ("maae_deg", "axial_error_deg", "constant_maae_deg")}
                           for name, row in (("power", plain), ("power and phase", added))}).T
directions.columns = ["mean absolute error (°)", "axial error (°)", "best constant direction (°)"]
report.table(directions.rename_axis("channels"), "directions",
             "Angular errors of event windows in the planted world under P2; chance is 90° and 45°.",
             {column: "{:.1f}" for column in directions})

# %%
report.glue("maae-power", plain["maae_deg"])
report.glue("maae-phase", added["maae_deg"])
report.glue("maae-constant", plain["constant_maae_deg"])

# %% [markdown]
# From power alone the mean error is {glue:text}`maae-power:.0f`°; always answering the best constant direction of
# the training events gives {glue:text}`maae-constant:.0f`°. With phase it is {glue:text}`maae-phase:.0f`°. An
# azimuth score from power images needs its constant-direction baseline beside it.
#
# ## How training went

# %%
folder = config.CACHE / "folds" / train.run_key(planned["planted", "convnext", "P2"],
                                                data["planted"].content_hash, "P2")
history = train.load_fit(train.weights_path(folder, 0))[0].history
fig = report.plot_lines(history.epoch, {"training": history.train_loss, "selection": history.select_loss},
                        "epoch", "loss")
report.figure(fig, "history", caption="Loss of the first fold (planted world, P2). The network kept is that of the "
                                      "lowest selection loss; the selection events are training events.",
              alt="Two falling lines over the epochs of training, the selection loss flattening first.")

# %% [markdown]
# ## Save

# %%
report.save_results("03_loeo_training", {
    "scores": rows, "phase": phase_rows, "certificates": links.to_dict("index"),
    "directions": directions.to_dict("index"), "comparators": compared.to_dict("index")})
for opened in (*data.values(), phase_data):
    opened.close()

# %% [markdown]
# ## Take-away
# - A split is described by the links it cuts. Folds by station and date leave earthquakes on both sides, and a
#   calendar alone then scores far above chance.
# - Held out by event (P2), networks return chance where there is no signal and rise above every floor where there
#   is one.
# - Simple detectors stand beside the networks, and azimuth needs phase.
#
# ## Exercises
# **1. Turn the signal down.** `make run NB=03_loeo_training P="-p profile smoke -p snr 0.5" OUT=out.ipynb` runs the
# chain with a quarter of the amplitude. At which amplitude would you stop calling the network skilful: where its
# interval meets zero, or where it meets the highest floor?
#
# **2. One earthquake a fold.** Leave-one-event-out in the narrow sense is P2 with as many folds as earthquakes. Why
# are scores of single folds useless then, and what is pooled instead ({doc}`../methods`)?
#
# **3. What would change your mind?** Suppose a paper reports 0.60 under P1 on real records. List the three numbers
# of this page that you would ask the authors for before you believe that the record was used.
