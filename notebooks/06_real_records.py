# %% [markdown]
# (nb-real)=
# # What happens when real records enter the same chain?
#
# :::{glance}
# You learn
# : how real records enter the chain, what the plausibility gate says of them, and why a network's answer is not a
#   forecast
#
# You need
# : {numref}`Chapter %s <nb-loeo>`; real records are optional, the page shows committed results without them
# :::
#
# **In short.** They pass through, and that is all. Of {glue:text}`n-seconds` records at 1 Hz, {glue:text}`n-pass`
# pass every criterion of the plausibility gate. Of {glue:text}`n-asked` windows the network trained on the planted
# world calls {glue:text}`alarms-planted` a precursor, and the one that never saw a precursor
# {glue:text}`alarms-null`. Such answers say nothing about earthquakes: the images lie up to
# {glue:text}`largest-shift` standard deviations from those of the training, and no window has a label.
#
# The chain that was trained on the synthetic Earth accepts real records of the same sampling. We read what a
# folder holds, ask whether it can be the Earth's magnetic field at all, and let the networks answer. They
# answer whatever they are shown; what their answers mean is the question.
#
# ## Overview
# **Question.** Are the records plausible, and may a network trained elsewhere be asked about them?
# **Input.** A folder named by `make book DATA=folder`; without it this page shows the committed results of
# such a run. **Output.** `results/light/06_real_records.json`.

# %% tags=["parameters"]
profile = "light"  # type: str  # smoke | light | full
folds = 0          # type: int  # as in 03_loeo_training
snr = 2.0          # type: float  # as in 03_loeo_training
seed = 42          # type: int  # as in 03_loeo_training

# %%
# inputs: 03_loeo_training, DATA
import numpy as np
import pandas as pd

from lib import config, dataset, predict, report, stft, synthetic, train
from lib.earth import catalog, records, stations, survey
from lib.studies import COMPONENTS

report.begin("06_real_records", profile)
folder = config.data_folder()
stored = report.load_results("06_real_records", "light", required=folder is None)
print("Shown here:", "records read in this run." if folder else "the committed results of an earlier run.")

# %% [markdown]
# ## What the folder holds

# %%
found = dict(stored or {})
index, unreadable = records.open_folder(survey.part(folder, "geomag")) if folder else (None, None)
if folder:
    kinds = index.groupby(["station", "sampling_s"]).agg(
        files=("path", "size"), first=("start", "min"), last=("end", "max"), missing=("missing", "sum"))
    found["inventory"] = kinds.reset_index().astype({"first": str, "last": str})
    found["n_records"], found["n_unreadable"] = len(index), len(unreadable)

# %%
inventory = pd.DataFrame(found["inventory"])
inventory["station"] = inventory.station + inventory.sampling_s.map(", {:g} s".format)
report.table(inventory[["station", "files", "first", "last", "missing"]], "inventory",
             "Readable records by station and sampling interval; times are UTC.")
report.glue("n-records", found["n_records"])
report.glue("n-unreadable", found["n_unreadable"])

# %% [markdown]
# {glue:text}`n-records` files were read as records; {glue:text}`n-unreadable` others hold something else (hourly
# means, school magnetometers, tables) and were named with the reason.
#
# ## Can it be the Earth's field?
# The gate compares level and sign with the main-field model, and scatter, noise and spectrum with what quiet
# ground allows. It is run before anything else is done with a record.

# %%
# headers known to be wrong: the offsets of AIA (test name SXY) were removed, WIC 2022 has projected coordinates
places = {"WIC": {"latitude": 47.93, "longitude": 15.865}}
seconds = survey.one_hertz(survey.part(folder, "geomag"), index, places) if folder else {}
indices = survey.read_indices(survey.part(folder, "space_weather")) if folder else {}
if folder:
    found["gate"] = survey.gate(seconds, indices.get("kp"))

# %%
gate = pd.DataFrame(found["gate"])
words = gate.passed.astype(object).map({True: "passed", False: "failed"}).fillna("not judged")
summary = words.groupby(gate.record).value_counts().unstack(fill_value=0).reindex(
    columns=["passed", "failed", "not judged"], fill_value=0)
summary["Kp (maximum)"] = gate.groupby("record").kp_max.first()
summary["what failed"] = gate[gate.passed.eq(False)].groupby("record").criterion.agg(", ".join)
report.table(summary.fillna({"what failed": "nothing"}).rename_axis("record"), "gate",
             "The plausibility gate on every 1 Hz record: number of criteria.")

# %%
report.glue("n-seconds", int(gate.record.nunique()))
report.glue("n-pass", int((gate[gate.passed.eq(False)].record.nunique() * -1) + gate.record.nunique()))

# %% [markdown]
# Of {glue:text}`n-seconds` records at 1 Hz, {glue:text}`n-pass` pass every criterion that applies. The others are
# variation records without their baseline: level and sign fail, as they should, while scatter and spectrum pass.
#
# ## Where the Indonesian record stands
# One day of one Indonesian station (Alor) is public. The map shows the earthquakes of the public catalogue.

# %%
files = sorted((folder / "earthquakes" / "usgs_indonesia").glob("*.csv*")) if folder else []
quakes = [catalog.read_catalog(path, on_error="drop") for path in files]
fig = report.plot_map(stations.indonesian_stations(), catalog.select(
    pd.concat(quakes, ignore_index=True), min_magnitude=6.0, max_depth_km=100.0,
    box=(92.0, 147.0, -13.0, 11.0))) if quakes else None
report.figure(fig, "real-map", caption="Stations and the USGS catalogue 2000 to 2020, magnitude 6 and more, shallower "
                                  "than 100 km.",
              alt="Map of Indonesia with two dozen stations and several hundred epicentres along the arcs.")

# %% [markdown]
# ## From record to image

# %%
study = config.load("convnext", profile, {"seed": seed, "world.snr": snr} | ({"evaluation.folds": folds} if folds else {}))
n = int(study.windows.window_s / study.windows.sampling_s)
windows = {name: records.cut(records.fill_gaps(record, "interpolate"),
                             record.time.values[min(12 * 3600, record.sizes["time"] - n)], n)
           for name, record in seconds.items()}
arrays = {name: np.stack([cut[c].values for c in COMPONENTS]) for name, cut in windows.items()}
arrays = {name: x for name, x in arrays.items() if np.isfinite(x).all()}      # no image of a long gap
frequency_hz, time_s = stft.frequencies_hz(study.stft), stft.times_s(study.stft, n)

# %%
images = {name: stft.spectrogram(x[None], study.stft)[0] for name, x in arrays.items()}
alor = next((name for name in images if name.startswith("ALR")), None)
fig = report.plot_spectrogram(images[alor], frequency_hz, time_s) if alor else None
report.figure(fig, "alor", caption="Alor, 1 January 2025, 12 to 18 UTC, a day of strong activity: the image that "
                                   "the network is shown.",
              alt="Three spectrograms of H, D and Z; power falls with frequency and changes over the hours.")

# %% [markdown]
# ## How far from the training data?
# A network can be trusted, if at all, near what it was trained on. We compare each real image with the synthetic
# training images: mean log power per component, in standard deviations over the training windows.

# %%
data = dataset.open_dataset(synthetic.make_dataset(study))
level = data.read(slice(None)).astype(np.float32).mean((2, 3))          # (N, 3)
distance = {name: (image.mean((1, 2)) - level.mean(0)) / level.std(0) for name, image in images.items()}
if folder:
    found["distance"] = pd.DataFrame(distance, index=list(COMPONENTS)).T.rename_axis("record").reset_index()

# %%
shift = pd.DataFrame(found["distance"]).set_index("record")[list(COMPONENTS)]
report.table(shift, "distance", "Mean log power of real images in standard deviations of the training images.",
             {c: "{:+.1f}" for c in COMPONENTS})
report.glue("largest-shift", float(shift.abs().max().max()), "{:.1f}")

# %% [markdown]
# The largest shift is {glue:text}`largest-shift` standard deviations. Other latitudes, instruments and activity
# make other images, and a mean level says little about their shape; no label of ours says what is in them.
#
# ## What the networks answer
# Two networks are asked: one trained on the world with a planted source, one on the world without.

# %%
answers = []
for world, amplitude in {"planted": snr, "null": 0.0}.items():
    trained = config.load("convnext", profile, {"seed": seed, "world.snr": amplitude} | (
        {"evaluation.folds": folds} if folds else {}))
    with dataset.open_dataset(synthetic.make_dataset(trained)) as opened:
        train.cross_validate(trained, opened, "P2", keep_weights=True)
        key = train.run_key(trained, opened.content_hash, "P2")
    weights = train.weights_path(config.CACHE / "folds" / key, 0)
    answers += [predict.predict(records.fill_gaps(record, "interpolate"), weights).assign(record=name, world=world)
                for name, record in seconds.items()]

# %%
if folder:
    told = pd.concat(answers, ignore_index=True)
    told["p_quiet"] = told.p_magnitude_Normal
    columns = ["record", "world", "start", "valid", "magnitude_class", "azimuth_class", "p_quiet"]
    found["answers"] = told[columns].astype({"start": str})

# %%
told = pd.DataFrame(found["answers"])
valid = told[told.valid]
table = valid.groupby(["record", "world"]).agg(
    windows=("start", "size"), quiet=("magnitude_class", lambda c: int((c == "Normal").sum())),
    commonest=("magnitude_class", lambda c: c.mode()[0]), p_quiet=("p_quiet", "mean")).reset_index()
table["record"] = table.record + ", trained on " + table.world
table.columns = ["record", "world", "windows", "called quiet", "commonest answer", "mean p (quiet)"]
report.table(table.drop(columns="world"), "answers", "Answers of the two networks to six-hour windows of real records.",
             {"mean p (quiet)": "{:.2f}"})

# %%
alarms = valid[valid.magnitude_class != "Normal"].groupby("world").size().reindex(["planted", "null"], fill_value=0)
report.glue("alarms-planted", int(alarms["planted"]))
report.glue("alarms-null", int(alarms["null"]))
report.glue("n-asked", int(len(valid) / 2))

# %% [markdown]
# Of {glue:text}`n-asked` windows the first network calls {glue:text}`alarms-planted` a precursor and the second,
# which never saw one, {glue:text}`alarms-null`. Neither number says anything about earthquakes: no window has a
# label, three of the four sites lie far from any large earthquake, and a network trained where there was nothing to find
# raises alarms all the same.
#
# ## Save

# %%
report.save_results("06_real_records", {key: found[key] for key in (
    "inventory", "n_records", "n_unreadable", "gate", "distance", "answers")})
data.close()

# %% [markdown]
# ## Take-away
# - Real records of several formats enter the same chain, and a gate says which of them look like the Earth's field.
# - A network's answer on records unlike its training data is not a forecast.
# - To learn from real records they need labels, matched quiet windows and many earthquakes: one public day is none.
#
# ## Exercises
# **1. Your own record.** Put one day of a magnetometer into a folder and run `make run NB=06_real_records P="-p
# profile smoke" DATA=folder OUT=out.ipynb`. Which criterion of the gate does it fail, and is that a fault of the
# record or of the criterion?
#
# **2. Break it on purpose.** Exchange H and Z in an IAGA-2002 file, or multiply it by ten. Does the gate notice?
# Which error would it not notice?
#
# **3. A fair test.** What would you need, beyond the records, to ask whether these networks know anything about
# real earthquakes? How many earthquakes ({numref}`Chapter %s <nb-selection>`)?
