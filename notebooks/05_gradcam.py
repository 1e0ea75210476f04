# %% [markdown]
# (nb-gradcam)=
# # Do the networks look where the signal was planted?
#
# :::{glance}
# You learn
# : how to score an attention map, and which references it needs
#
# You need
# : {numref}`Chapter %s <nb-loeo>`; the words {term}`Grad-CAM` and {term}`energy share`
# :::
#
# **In short.** Partly. Asked for evidence of the class *Large*, the network trained on the planted world puts
# {glue:text}`large-share:.2f` of its map's energy ({glue:text}`large-low:.2f` to {glue:text}`large-high:.2f`) into
# the planted band, whose area is {glue:text}`area:.2f`; with random weights it is {glue:text}`large-random:.2f`,
# and trained where nothing is planted {glue:text}`null-share:.2f`. Asked for whatever class it predicts, the shares
# are near that area. A map is evidence only beside these references.
#
# Grad-CAM {cite:p}`selvaraju2017` marks the parts of an image that raise the logit of a class. On real records
# nobody knows where a precursor would be; here we planted it. We measure the share of each map's energy inside
# the planted band, against the share of the image's area, and against networks with random weights.
#
# ## Overview
# **Question.** Is an attention map evidence that a network uses the signal? **Input.** The networks of
# {numref}`Chapter %s <nb-loeo>`, trained again if they are not on disk.
# **Output.** `results/<profile>/05_gradcam.json`.

# %% tags=["parameters"]
profile = "light"  # type: str  # smoke | light | full
folds = 0          # type: int  # as in 03_loeo_training
snr = 2.0          # type: float  # as in 03_loeo_training
seed = 42          # type: int  # as in 03_loeo_training
workers = 2        # type: int  # folds trained at the same time, if any is missing

# %%
# inputs: 03_loeo_training
import numpy as np
import pandas as pd

from lib import config, dataset, gradcam, intervals, report, splits, synthetic, train

report.begin("05_gradcam", profile)
overrides = {"seed": seed} | ({"evaluation.folds": folds} if folds else {})
band_hz = (0.01, 0.05)     # where the source is planted, all six hours
backbones = ("convnext", "efficientnet", "vgg16")

# %% [markdown]
# ## The networks and their test windows
# Every map is computed for windows that the network did not train on: the event windows of its own test fold.

# %%
studies = {(world, backbone): config.load("convnext", profile, overrides | {
               "world.snr": amplitude, "network.backbone": backbone})
           for world, amplitude in {"null": 0.0, "planted": snr}.items() for backbone in backbones}
data = {world: dataset.open_dataset(synthetic.make_dataset(studies[world, "convnext"]))
        for world in ("null", "planted")}
windows = data["planted"].windows
groups = splits.groups(windows, "event")

# %%
executor = train.pool(workers)
networks = {}
for (world, backbone), study in studies.items():
    train.cross_validate(study, data[world], "P2", executor, keep_weights=True)
    folder = config.CACHE / "folds" / train.run_key(study, data[world].content_hash, "P2")
    networks[world, backbone] = [train.load_fit(path)[0] for path in sorted(folder.glob("*.safetensors"))]
executor.shutdown()

# %%
parts = splits.folds(windows, "P2", studies["planted", "convnext"].evaluation.folds, seed, on_absent="ignore")
event = windows.event_id.to_numpy() != ""
tested = [test[event[test]] for _, test in parts]
report.glue("n-maps", int(event.sum()))

# %% [markdown]
# ## Maps for both heads, every backbone
# Two questions are asked of the magnitude head: what speaks for the class that it *predicts*, and what speaks for
# the class *Large*, whose evidence in this world is power in the band. (For a smaller class the absence of power
# is evidence too, and Grad-CAM draws that elsewhere.) The azimuth head is asked for its prediction. Beside each
# trained network stands a copy with all weights drawn anew {cite:p}`adebayo2018`: what survives there comes from
# the architecture and the image, not from training.

# %% tags=["show"]
questions = [("magnitude", "predicted", None), ("magnitude", "Large", 3), ("azimuth", "predicted", None)]
maps, random_maps = {}, {}
for (world, backbone), study in studies.items():
    for fold, (fitted, rows) in enumerate(zip(networks[world, backbone], tested, strict=True)):
        x = train.as_input(fitted, data[world].read(rows), study)
        blank = gradcam.randomised(fitted.network, seed + fold)
        for head, explained, k in questions:
            key = (world, backbone, head, explained)
            maps.setdefault(key, []).append(gradcam.class_maps(fitted.network, x, head, k))
            random_maps.setdefault(key, []).append(gradcam.class_maps(blank, x, head, k))

# %%
frequency_hz, time_s = data["planted"].frequency_hz, data["planted"].time_s
rows_of = np.concatenate(tested)
summary = []
for key, found in maps.items():
    found, blank = np.concatenate(found), np.concatenate(random_maps[key])
    share, area = gradcam.band_energy_share(found, frequency_hz, time_s, band_hz)
    blank_share, _ = gradcam.band_energy_share(blank, frequency_hz, time_s, band_hz)
    drawn = np.isfinite(share)
    values, labels = share[drawn], groups[rows_of][drawn]
    limits = intervals.cluster_bootstrap(lambda rows, v=values: v[rows].mean(), labels, 500,
                                         config.rng(seed, "gradcam", *key))
    summary.append(dict(zip(("world", "backbone", "head", "explained"), key, strict=True)) | {
        "share": values.mean(), "low": limits.low, "high": limits.high, "area_share": area,
        "random_weights": np.nanmean(blank_share), "n_windows": values.size, "n_events": limits.n_units,
        "similarity": np.nanmean(gradcam.map_similarity(found, blank))})

# %% [markdown]
# ## Share of energy in the planted band

# %%
table = pd.DataFrame(summary)
shown = table.assign(network=table.world + ", " + table.backbone)[
    ["network", "head", "explained", "share", "low", "high", "area_share", "random_weights", "similarity"]]
shown.columns = ["network", "head", "class", "share in band", "95 % low", "95 % high", "share of area",
                 "random weights", "similarity to random"]
report.table(shown, "energy", "Share of Grad-CAM energy between 10 and 50 mHz on test windows of events; "
                              "intervals resample earthquakes.", {c: "{:.3f}" for c in shown.columns[3:]})

# %%
by = table.set_index(["world", "backbone", "head", "explained"])
for name, key in {"large": ("planted", "convnext", "magnitude", "Large"),
                  "null": ("null", "convnext", "magnitude", "Large"),
                  "magnitude": ("planted", "convnext", "magnitude", "predicted"),
                  "azimuth": ("planted", "convnext", "azimuth", "predicted")}.items():
    for column in ("share", "low", "high"):
        report.glue(f"{name}-{column}", float(by.loc[key, column]))
report.glue("large-random", float(by.loc[("planted", "convnext", "magnitude", "Large"), "random_weights"]))
report.glue("area", float(table.area_share.iloc[0]))

# %% [markdown]
# The band is {glue:text}`area:.2f` of the image's area. Asked for evidence of *Large*, the ConvNeXt trained on the
# planted world puts {glue:text}`large-share:.2f` of its maps there ({glue:text}`large-low:.2f` to
# {glue:text}`large-high:.2f`); with random weights it is {glue:text}`large-random:.2f`, and trained on the null
# world {glue:text}`null-share:.2f`. Asked for whatever it predicts, the shares are
# {glue:text}`magnitude-share:.2f` ({glue:text}`magnitude-low:.2f` to {glue:text}`magnitude-high:.2f`) for magnitude
# and {glue:text}`azimuth-share:.2f` ({glue:text}`azimuth-low:.2f` to {glue:text}`azimuth-high:.2f`) for azimuth: the
# answer depends on the question.

# %%
large = table[table.explained == "Large"]
bars = {f"{r.world}, {r.backbone}": r.share for r in large.itertuples()}
marks = {f"{r.world}, {r.backbone}": r.random_weights for r in large.itertuples()}
fig = report.plot_bars(bars, "share of energy in the planted band, evidence for Large", marks,
                       ("trained network", "random weights"))
report.figure(fig, "energy",
              caption="Share of Grad-CAM energy inside the planted band, evidence for *Large*. Marks: the same networks "
                      "with random weights.",
              alt="Bar chart of energy shares for three backbones in two worlds, with marks for random weights.")

# %% [markdown]
# ## One window
# The window before the largest earthquake, as the network of its own test fold saw it.

# %%
pick = int(np.flatnonzero(rows_of == windows.magnitude.idxmax())[0])
image = data["planted"].read(rows_of[pick:pick + 1])[0].astype(np.float32)
panels = {f"{backbone}, Large": np.concatenate(maps["planted", backbone, "magnitude", "Large"])[pick]
          for backbone in ("convnext", "vgg16")}
panels["random weights"] = np.concatenate(random_maps["planted", "convnext", "magnitude", "Large"])[pick]
fig = report.plot_gradcam(image, panels, frequency_hz, time_s, band_hz=band_hz)
report.figure(fig, "maps",
              caption="Mean spectrogram of the window and Grad-CAM maps on physical axes, evidence for *Large*; "
                      "the box is the planted band.",
              alt="Four panels on axes of time and frequency: a spectrogram, maps of two trained networks and of "
                  "one with random weights, with a box around the planted band.")

# %%
chosen = {"planted": maps["planted", "convnext", "magnitude", "Large"],
          "null": maps["null", "convnext", "magnitude", "Large"],
          "random weights": random_maps["planted", "convnext", "magnitude", "Large"]}
mean_maps = {name: np.concatenate(found).mean((0, 2)) for name, found in chosen.items()}
fig = report.plot_lines(1e3 * frequency_hz, mean_maps, "frequency (mHz)", "mean map value",
                        span=(1e3 * band_hz[0], 1e3 * band_hz[1]))
report.figure(fig, "profile", caption="Mean map against frequency, evidence for *Large*, ConvNeXt, all event windows; the "
                                         "planted band is shaded.",
              alt="Line plot of the mean map against frequency: trained on the planted world it is high below 40 mHz "
                  "and falls steeply, trained on the null world and with random weights it falls less.")

# %% [markdown]
# A map that looks physical is no evidence by itself: the network of the null world, which has nothing to find,
# draws maps as well. Even in the planted world part of the energy lies outside the box, below 10 mHz and above
# 50 mHz, where a network compares the band with its surroundings.
#
# ## Save

# %%
report.save_results("05_gradcam", {"energy": summary, "band_hz": band_hz})
for opened in data.values():
    opened.close()

# %% [markdown]
# ## Take-away
# - With known truth an attention map can be scored; without it, it can only be admired.
# - The score needs three references: the area, random weights, and a network trained where nothing is to be found.
# - It depends on the class that is explained. A study that shows maps should say which.
#
# ## Exercises
# **1. Choose your evidence.** Read off {numref}`fig-energy` which network you would show in a paper if only one
# picture were allowed, and which you would leave out. That choice is a look at the answer; how would you make it
# beforehand?
#
# **2. A band that is not there.** Compute `lib.gradcam.band_energy_share` for 60 to 100 mHz, where nothing was
# planted. Which value would make you doubt the whole method?
#
# **3. Real records.** On a real record nobody knows where a precursor would be. Which two of the references of this
# page can still be made, and what can they no longer show?
