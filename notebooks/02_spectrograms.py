# %% [markdown]
# (nb-spectrograms)=
# # What does the network see of six hours of magnetic field?
#
# :::{glance}
# You learn
# : what survives the step from record to image, and what the published rendering adds
#
# You need
# : {numref}`Chapter %s <nb-data>`
# :::
#
# **In short.** Six hours of three components become one small image of log power for each. A planted source shows
# as {glue:text}`added-z` decades more power in Z, in its band and a little beside it. One hour in the published
# band holds {glue:text}`numbers-published` numbers, far fewer than the 150 528 pixel values it is drawn with; and
# the published colour scale, stretched anew for each picture, removes the level of the field, which is what grows
# with magnitude here.
#
# The network sees power against frequency and time. Six hours at one sample a second become a small image per
# component; this chapter shows what survives that step, what the published rendering adds, and where a planted
# precursor would appear.
#
# ## Overview
# **Question.** What does a spectrogram image keep of the record? **Input.** The world of
# {numref}`Chapter %s <nb-data>`. **Output.** `results/<profile>/02_spectrograms.json`.

# %% tags=["parameters"]
profile = "light"  # type: str  # smoke | light | full
seed = 42          # type: int  # names the world and the windows
snr = 2.0          # type: float  # amplitude of the planted source, in units of the world's sigma0

# %%
import dataclasses

import numpy as np
import pandas as pd

from lib import augment, config, files, published, report, stft, synthetic
from lib.earth import filters

report.begin("02_spectrograms", profile)
study = config.load("convnext", profile, {"seed": seed, "world.snr": snr})
world, windows = synthetic.make_world(study), synthetic.make_windows(study)

# %% [markdown]
# ## One window, two worlds
# We take a window before an earthquake of about magnitude 6, once with its precursor and once without.

# %%
row = windows.loc[(windows.magnitude - 6.0).abs().idxmin()]
n = int(study.windows.window_s / study.windows.sampling_s)
record = {name: world.window(row.station, row.start, n, amplitude)
          for name, amplitude in {"null": 0.0, "planted": snr}.items()}
report.glue("magnitude", float(row.magnitude), "{:.1f}")
report.glue("distance-km", float(row.distance_km), "{:.0f}")

# %%
fig = report.plot_record(record["planted"] - np.median(record["planted"], axis=1, keepdims=True))
report.figure(fig, "window", caption="Six hours at one station, a day or more before the earthquake, with the planted precursor.",
              alt="Three panels of six hours of magnetic field with slow drifts of a few nanotesla.")

# %% [markdown]
# The earthquake has magnitude {glue:text}`magnitude` at {glue:text}`distance-km` km. Its precursor is a noise
# between 10 and 50 mHz, polarised along the bearing of the source, that is on for a part of every hour.

# %% tags=["show"]
images = stft.spectrogram(np.stack(list(record.values())), study.stft)
frequency_hz, time_s = stft.frequencies_hz(study.stft), stft.times_s(study.stft, n)
band_hz = (0.01, 0.05)

# %%
fig = report.plot_spectrogram(images[1], frequency_hz, time_s, band_hz=band_hz)
report.figure(fig, "spectrogram",
              caption="The same window as the network sees it; the box marks the band in which the source was "
                      "planted.",
              alt="Three spectrograms for H, D and Z: power falls from low to high frequency; inside the marked band "
                  "it is raised in D and most of all in Z.")

# %%
fig = report.plot_spectrogram(images[1] - images[0], frequency_hz, time_s, band_hz=band_hz,
                              label="planted less null (decades)")
report.figure(fig, "difference", caption="What the source adds: planted less null world, decades of power.",
              alt="Difference images: none in H, up to one decade in D and up to two decades in Z, inside the marked "
                  "band and a little beyond its upper edge.")

# %%
inside = (frequency_hz >= band_hz[0]) & (frequency_hz <= band_hz[1])
added = {name: float((images[1] - images[0])[c][inside].mean()) for c, name in enumerate("HDZ")}
outside = float(np.abs((images[1] - images[0])[:, frequency_hz > 0.08]).max())
report.table(pd.DataFrame({"decades added in the band": added}).rename_axis("component"), "added",
             "Mean log power that the source adds inside its band.")
report.glue("added-z", added["Z"], "{:.2f}")

# %% [markdown]
# The vertical component gains most, {glue:text}`added-z` decades: the background has least power there.
#
# ## Counting what is in an image
# An image of 224 × 224 pixels and three channels looks like 150 528 numbers. The transform behind it holds far
# fewer, and the published band fewer still.

# %%
frames = {hours: (hours * 3600 - study.stft.noverlap) // (study.stft.nperseg - study.stft.noverlap)
          for hours in (1, 6, 24)}
resolution_hz = 1 / study.stft.nperseg
bins = {"0 to 500 mHz": study.stft.nperseg // 2 + 1,
        "10 to 45 mHz": int(sum(0.01 <= k * resolution_hz <= 0.045 for k in range(study.stft.nperseg)))}
content = pd.DataFrame({f"{h} h": {band: 3 * f * b for band, b in bins.items()} for h, f in frames.items()})
report.table(content.rename_axis("band"), "content", "Numbers in three components of a window, before resizing.",
             {column: "{:,}" for column in content})

# %%
report.glue("numbers-published", int(content.loc["10 to 45 mHz", "1 h"]))
report.glue("bins-published", bins["10 to 45 mHz"])

# %% [markdown]
# One hour in the published band is {glue:text}`numbers-published` numbers, {glue:text}`bins-published` frequency
# bins a component. Enlarging them to 224 × 224 adds pixels, not information.
#
# ## A filter that cannot be
# The documentation of the published code names a Butterworth band from 0.001 to 0.5 Hz. At one sample a second
# 0.5 Hz is the Nyquist frequency, and the filter is refused, with the reason.

# %%
try:
    filters.design_band(study.windows.sampling_s, low_hz=0.001, high_hz=0.5)
    refusal = "accepted"
except files.InputError as error:
    refusal = str(error)
print(refusal)

# %% [markdown]
# ## The published rendering
# The images behind the published scores are colour pictures. Two settings of the picture differ between the
# scripts for quiet and for event windows in the public repository: the colour map and a moving average. A
# picture is a comparator here, never the input.

# %%
preset = stft.PRESETS["published"]
picture = published.render_published(stft.spectrogram(record["planted"][None], preset))[0]
array = stft.spectrogram(record["planted"][None], dataclasses.replace(preset, size=study.stft.size))
fig = report.plot_image(picture, "time (6 h)", "Z, D, H panels (10 to 45 mHz each)")
report.figure(fig, "published",
              caption="The same window in the published rendering: three panels in the colour map jet, each "
                      "stretched to its own range.",
              alt="A square colour picture of three stacked panels, Z above D above H, each speckled from blue "
                  "to red.")

# %% [markdown]
# Every panel spans the full colour range, whatever its power: the level of the field, the one thing that grows
# with magnitude in this world, is gone.
#
# ## What half precision costs
# Datasets store log power in 16 bits.

# %%
error = float(np.abs(images.astype(np.float16).astype(np.float32) - images).max())
report.glue("float16-error", error, "{:.1e}")
report.glue("spread", float(images.std()), "{:.2f}")

# %% [markdown]
# The largest error is {glue:text}`float16-error` decades, against a spread of {glue:text}`spread` decades inside
# the image.
#
# ## What augmentation does to physics
# The published training set was enlarged with image transforms. On a spectrogram each of them means something.

# %%
effects = pd.DataFrame([{"transform": name, "set": next(kind for kind, members in augment.SETS.items()
                                                        if name in members), "effect": text}
                        for name, text in augment.EFFECTS.items()])
report.table(effects, "augmentation", "The two sets of augmentations and what each does to time and frequency.")

# %% [markdown]
# The `physical` set is used in this compendium; `published` is implemented so that its effect can be measured.
#
# ## Save

# %%
report.save_results("02_spectrograms", {
    "added_decades": added, "largest_change_above_80_mhz": outside, "float16_error": error,
    "numbers": content.to_dict("index"), "refusal": refusal})

# %% [markdown]
# ## Take-away
# - A window is a few thousand numbers; a picture of it is many more pixels with less in them.
# - The source adds power in its band, and a little beside it where the transform smears it, most visibly in Z.
# - The network is fed arrays on one fixed scale, the same for quiet and event windows.
#
# ## Exercises
# **1. Weaker.** Repeat the page with `make run NB=02_spectrograms P="-p profile smoke -p snr 0.5" OUT=out.ipynb`.
# Can you still see the source in {numref}`fig-difference`? In {numref}`fig-spectrogram`? A network sees only the
# second.
#
# **2. Wash the picture.** Scale every image by its own minimum and maximum instead of one fixed scale. Which of two
# earthquakes, magnitude 5 and magnitude 7, would you still tell apart, and by what?
#
# **3. A wrong augmentation.** Of the transforms in the table above, choose the one that does most harm to *azimuth*
# and say why a test accuracy may not show it.
