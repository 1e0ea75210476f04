# %% [markdown]
# (nb-data)=
# # What does the synthetic Earth look like?
#
# :::{glance}
# You learn
# : what is in the synthetic Earth, and which windows the later chapters look at
#
# You need
# : {doc}`../background`; no other chapter
# :::
#
# **In short.** The synthetic Earth looks like what it stands for: {glue:text}`n-earthquakes` earthquakes with a
# $b$-value of {glue:text}`b-value`, indices and records at plausible levels. Event windows and their matched quiet
# windows differ in Kp by {glue:text}`kp-difference` standard deviations, so metadata should not tell them apart.
# And {glue:text}`inside-none` % of the event-station pairs within 500 km lie beyond every published radius: a
# selection by 500 km is mostly windows in which nobody expects a signal.
#
# The raw records behind the published study are not public. We therefore begin with an Earth whose truth is
# known: earthquakes, space weather and magnetic records are drawn from physical models, and a precursor can be
# planted or left out. This chapter shows what is in it, and which windows the later chapters look at.
#
# ## Overview
# **Question.** Are records, catalogue and indices plausible, and can anything but a precursor tell event
# windows from quiet ones? **Input.** A seed. **Output.** `results/<profile>/01_data_exploration.json`.

# %% tags=["parameters"]
profile = "light"   # type: str  # smoke | light | full
seed = 42           # type: int  # names the world and the windows
station = "SCN"     # type: str  # station whose record is drawn

# %%
import numpy as np
import pandas as pd

from lib import config, report, synthetic
from lib.earth import catalog, stations, windows

report.begin("01_data_exploration", profile)
study = config.load("convnext", profile, {"seed": seed})
world = synthetic.make_world(study)

# %% [markdown]
# ## Where: stations and earthquakes
# The network is that of the 24 Indonesian stations whose coordinates are public. Earthquakes follow the real
# arcs, a Gutenberg-Richter law and a Poisson process.

# %%
fig = report.plot_map(world.stations, catalog.select(world.catalog, min_magnitude=5.5, max_depth_km=100.0))
report.figure(fig, "map",
              caption="Stations (triangles) and synthetic earthquakes of magnitude 5.5 and more (circles; area "
                      "grows with magnitude, colour is depth).",
              alt="Map of Indonesia without coastlines: two dozen stations and some hundred epicentres along the "
                  "Sunda, Banda and Papua arcs.")

# %%
b = catalog.b_value(world.catalog.magnitude, completeness=study.windows.min_magnitude, bin_width=0.0)
years = study.world.years
summary = pd.DataFrame({
    "earthquakes": [len(world.catalog)], "M 5 and more a year": [(world.catalog.magnitude >= 5).sum() / years],
    "M 6 and more a year": [(world.catalog.magnitude >= 6).sum() / years], "b": [b.b],
    "standard error of b": [b.shi_bolt_se]}, index=[f"{years:g} years"])
report.table(summary.rename_axis("catalogue"), "catalogue", "The synthetic catalogue.")
report.glue("b-value", b.b, "{:.2f}")
report.glue("n-earthquakes", len(world.catalog))

# %% [markdown]
# The catalogue holds {glue:text}`n-earthquakes` earthquakes; its $b$-value is {glue:text}`b-value`, against 1 in
# the generator.
#
# ## How far: detectability radii
# Selection rules in the literature differ by an order of magnitude. The grey points are event-station pairs
# within 500 km, the published selection.

# %%
nearby = catalog.select(world.catalog, min_magnitude=4.5, max_depth_km=100.0)
pairs = pd.concat([pd.DataFrame({"magnitude": nearby.magnitude, "distance_km": stations.distance_azimuth(
    row.latitude, row.longitude, nearby.latitude, nearby.longitude)[0]}) for row in world.stations.itertuples()])
pairs = pairs[pairs.distance_km < 500]
reached = {name: float((pairs.distance_km <= law(pairs.magnitude)).mean())
           for name, law in stations.DETECTABILITY.items() if name != "fixed"}
inside_any = np.any([pairs.distance_km <= law(pairs.magnitude) for name, law in stations.DETECTABILITY.items()
                     if name != "fixed"], axis=0)

# %%
fig = report.plot_radii(stations.DETECTABILITY, points=pairs)
report.figure(fig, "radii",
              caption="Detectability radius against magnitude after several authors "
                      "{cite:p}`dobrovolsky1979,hattori2004`, with event-station pairs within 500 km.",
              alt="Log plot of distance against magnitude: between magnitude 4 and 8 the Dobrovolsky radius grows from "
                  "fifty to almost three thousand kilometres, the Hattori line from nothing to about 140; most "
                  "points lie between the two, below the fixed 500 kilometres.")

# %%
report.glue("inside-dobrovolsky", 100 * reached["dobrovolsky"], "{:.0f}")
report.glue("inside-hattori", 100 * reached["hattori"], "{:.1f}")
report.glue("inside-none", 100 * (1 - inside_any.mean()), "{:.0f}")

# %% [markdown]
# Of the pairs within 500 km, {glue:text}`inside-dobrovolsky` % lie inside the Dobrovolsky radius and
# {glue:text}`inside-hattori` % inside Hattori's line; {glue:text}`inside-none` % lie inside none of the published
# radii.
#
# ## When: space weather
# Geomagnetic activity moves every station at once. It is the strongest thing in the record, and the easiest to
# mistake for something else.

# %%
daily = {"Kp (daily maximum)": world.kp.resample("D").max().iloc[:365],
         "−Dst / 20 nT (daily maximum)": (-world.dst.resample("D").min() / 20).iloc[:365]}
fig = report.plot_lines(np.arange(365), {k: v.to_numpy() for k, v in daily.items()}, "day of the first year",
                        "index")
report.figure(fig, "indices", caption="One year of the two indices of activity, from the generator's solar wind.",
              alt="Line plot of daily Kp and Dst over a year with a few storms that stand out in both.")

# %%
active = pd.DataFrame({"share of 3 h intervals": {
    "Kp 5 and more": float((world.kp >= 5).mean()), "Kp 7 and more": float((world.kp >= 7).mean())}})
report.table(active.rename_axis("activity"), "activity", "How often the synthetic Earth is disturbed.", {"share of 3 h intervals": "{:.4f}"})

# %% [markdown]
# ## What a station records
# One day at one station: the daily variation, pulsations, activity and local noise.

# %%
day = pd.Timestamp(study.world.start) + pd.Timedelta(days=40)
record = world.window(station, day, 86_400)
fig = report.plot_record(record)
report.figure(fig, "record", caption=f"One synthetic day at {station}: north, east and down component.",
              alt="Three panels of a day of magnetic field with a daily wave of some tens of nanotesla.")

# %% [markdown]
# ## Which windows are looked at
# Event windows end one to several days before an earthquake, at fixed local-night hours. Each set has a quiet
# counterpart: same station, hour and season, Kp within one unit, no earthquake near.

# %%
table = synthetic.make_windows(study)
report.table(windows.class_counts(table).rename_axis("magnitude class"), "classes",
             "Windows, stations, earthquakes and quiet blocks of each magnitude class.")

# %%
quiet = table.magnitude_class == "Normal"
balance = pd.DataFrame({name: {
    "event windows": table.loc[~quiet, name].mean(), "quiet windows": table.loc[quiet, name].mean(),
    "standardised difference": (table.loc[~quiet, name].mean() - table.loc[quiet, name].mean())
    / table[name].std()} for name in ("kp_max", "dst_min")}).T
balance.loc["stations in common"] = [table.station[~quiet].nunique(), table.station[quiet].nunique(), 0.0]
report.table(balance.rename_axis("quantity"), "balance", "What a network could know besides a precursor: means in both groups.")

# %%
report.glue("kp-difference", float(balance.loc["kp_max", "standardised difference"]), "{:.2f}")

# %% [markdown]
# Kp differs between the groups by {glue:text}`kp-difference` standard deviations. By design neither station nor
# hour nor season nor activity can separate them; what remains possible is measured by the floors of
# {numref}`Chapter %s <nb-loeo>`.
#
# ## Save

# %%
report.save_results("01_data_exploration", {
    "catalogue": summary.iloc[0].to_dict(), "reached": reached, "activity": active.iloc[:, 0].to_dict(),
    "classes": windows.class_counts(table).to_dict("index"), "balance": balance.to_dict("index")})

# %% [markdown]
# ## Take-away
# - The world has known truth, plausible levels; instrument artefacts are off by default.
# - A selection within 500 km consists largely of event-station pairs beyond every published radius.
# - Event and quiet windows are matched, so that metadata alone should score nothing.
#
# ## Exercises
# **1. Another radius.** Draw {numref}`fig-radii` for the stations of your own region
# (`lib.earth.stations.read_stations`, {doc}`../adapt`). Which share of your event-station pairs lies inside
# Dobrovolsky's radius, and which inside Hattori's line?
#
# **2. Another year of space weather.** Run `make run NB=01_data_exploration P="-p profile smoke -p seed 7"
# OUT=out.ipynb`. Which numbers of this page should change with the seed, and which must not?
#
# **3. What would betray the match?** Event and quiet windows are matched in station, hour, season and Kp. Name two
# properties of a day in which they may still differ, and say how you would test each without a network.
