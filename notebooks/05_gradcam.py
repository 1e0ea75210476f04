# %% [markdown]
# (nb-gradcam)=
# # Do the networks look where the signal was planted?
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
# The predicted class is explained. Beside each trained network stands a copy with all weights drawn anew
# {cite:p}`adebayo2018`: what survives there comes from the architecture and the image, not from training.

# %% tags=["show"]
maps, random_maps = {}, {}
for (world, backbone), study in studies.items():
    for fold, (fitted, rows) in enumerate(zip(networks[world, backbone], tested, strict=True)):
        x = train.as_input(fitted, data[world].read(rows), study)
        blank = gradcam.randomised(fitted.network, seed + fold)
        for head in study.targets:
            maps.setdefault((world, backbone, head), []).append(gradcam.class_maps(fitted.network, x, head))
            random_maps.setdefault((world, backbone, head), []).append(gradcam.class_maps(blank, x, head))

# %%
frequency_hz, time_s = data["planted"].frequency_hz, data["planted"].time_s
rows_of = np.concatenate(tested)
summary = []
for key, found in maps.items():
    share, area = gradcam.band_energy_share(np.concatenate(found), frequency_hz, time_s, band_hz)
    blank, _ = gradcam.band_energy_share(np.concatenate(random_maps[key]), frequency_hz, time_s, band_hz)
    alike = gradcam.map_similarity(np.concatenate(found), np.concatenate(random_maps[key]))
    drawn = np.isfinite(share)
    values, labels = share[drawn], groups[rows_of][drawn]
    limits = intervals.cluster_bootstrap(lambda rows, v=values: v[rows].mean(), labels, 500,
                                         config.rng(seed, "gradcam", *key))
    summary.append({"world": key[0], "backbone": key[1], "head": key[2], "share": values.mean(),
                    "low": limits.low, "high": limits.high, "area_share": area, "random_weights": np.nanmean(blank),
                    "similarity": np.nanmean(alike), "n_windows": int(drawn.sum()), "n_events": limits.n_units})

# %% [markdown]
# ## Share of energy in the planted band

# %%
table = pd.DataFrame(summary)
shown = table.assign(network=table.world + ", " + table.backbone)[
    ["network", "head", "share", "low", "high", "area_share", "random_weights", "similarity"]]
shown.columns = ["network", "head", "share in band", "95 % low", "95 % high", "share of area", "random weights",
                 "similarity to random"]
report.table(shown, "energy", "Share of Grad-CAM energy between 10 and 50 mHz on test windows of events; "
                              "intervals resample earthquakes.", {c: "{:.3f}" for c in shown.columns[2:]})

# %%
planted = table[(table.world == "planted") & (table["backbone"] == "convnext")].set_index("head")
for head in ("magnitude", "azimuth"):
    report.glue(f"{head}-share", float(planted.share[head]))
    report.glue(f"{head}-low", float(planted.low[head]))
    report.glue(f"{head}-high", float(planted.high[head]))
    report.glue(f"{head}-random", float(planted.random_weights[head]))
report.glue("area", float(planted.area_share.iloc[0]))

# %% [markdown]
# The band is {glue:text}`area:.2f` of the image's area. The ConvNeXt trained on the planted world puts
# {glue:text}`magnitude-share:.2f` of its magnitude maps there ({glue:text}`magnitude-low:.2f` to
# {glue:text}`magnitude-high:.2f`) and {glue:text}`azimuth-share:.2f` of its azimuth maps
# ({glue:text}`azimuth-low:.2f` to {glue:text}`azimuth-high:.2f`). With random weights the shares are
# {glue:text}`magnitude-random:.2f` and {glue:text}`azimuth-random:.2f`.

# %%
bars = {f"{r.world}, {r.backbone}": r.share for r in table[table["head"] == "magnitude"].itertuples()}
marks = {f"{r.world}, {r.backbone}": r.random_weights for r in table[table["head"] == "magnitude"].itertuples()}
fig = report.plot_bars(bars, "share of energy in the planted band", marks)
report.figure(fig, "energy",
              caption="Share of Grad-CAM energy inside the planted band, magnitude head. Marks: the same networks "
                      "with random weights.",
              alt="Bar chart of energy shares for three backbones in two worlds, with marks for random weights.")

# %% [markdown]
# ## One window
# The window before the largest earthquake, as the network of its own test fold saw it.

# %%
pick = int(np.flatnonzero(rows_of == windows.magnitude.idxmax())[0])
image = data["planted"].read(rows_of[pick:pick + 1])[0].astype(np.float32)
panels = {"magnitude head": np.concatenate(maps["planted", "convnext", "magnitude"])[pick],
          "azimuth head": np.concatenate(maps["planted", "convnext", "azimuth"])[pick],
          "random weights": np.concatenate(random_maps["planted", "convnext", "magnitude"])[pick]}
fig = report.plot_gradcam(image, panels, frequency_hz, time_s, band_hz=band_hz)
report.figure(fig, "maps",
              caption="Mean spectrogram of the window and Grad-CAM maps on physical axes; the box is the planted "
                      "band.",
              alt="Four panels: a spectrogram and three heat maps; the magnitude map is brightest at low "
                  "frequencies inside the box.")

# %%
mean_maps = {"planted": np.concatenate(maps["planted", "convnext", "magnitude"]).mean((0, 2)),
             "null": np.concatenate(maps["null", "convnext", "magnitude"]).mean((0, 2)),
             "random weights": np.concatenate(random_maps["planted", "convnext", "magnitude"]).mean((0, 2))}
fig = report.plot_lines(1e3 * frequency_hz, mean_maps, "frequency (mHz)", "mean map value")
report.figure(fig, "profile", caption="Mean magnitude map against frequency, ConvNeXt, all event windows.",
              alt="Line plot of the mean map against frequency for the planted world, the null world and random "
                  "weights.")

# %% [markdown]
# A map that looks physical is no evidence by itself: the network of the null world, which has nothing to find,
# draws maps as well.
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
