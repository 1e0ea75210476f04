# %% [markdown]
# (nb-real-noise)=
# # How strong must a signal be in real noise, and what raises the alarm without one?
#
# :::{glance}
# You learn
# : which amplitude is found in real noise, and what makes a detector answer where nothing was planted
#
# You need
# : {numref}`Chapter %s <nb-observatory>`; real records are optional, the page shows committed results without them
# :::
#
# **In short.** In a year of an observatory in Scotland a steady planted signal is found in 80 % of
# {glue:text}`noise-draws` draws from {glue:text}`eighty-esk-p5` nT ({glue:text}`eighty-esk-span`) on, under a split
# through time. With nothing planted the scores lie within {glue:text}`null-p5`, intervals that
# {glue:text}`null-covers` chance; with quiet nights chosen below Kp 2 the same records give
# {glue:text}`null-naive`. A detector of planted signals answers in a year without any, and what it answers depends
# on the year: in 2015 its score follows Kp with {glue:text}`alarm-rho-2015`, in 2003 with
# {glue:text}`alarm-rho-2003`.
#
# Months of minute values from observatories, with storms, instruments and gaps as they are. A known signal is
# planted in them, then nothing, and then two records are read that hold nights before large earthquakes.
#
# ## Overview
# **Question.** Which amplitude in nT is found in real noise, what does a detector answer where nothing is planted,
# and what may be said about nights before an earthquake? **Input.** A folder named by `make book DATA=folder` with
# Eskdalemuir (ESK) 2003 and 2015, Boulder (BOU) January 2016, Memambetsu (MMB) March 2011, Kodiak and Old Harbor
# 2015 to 2016; without it this page shows the committed results of such a run. **Output.**
# `results/light/14_real_noise.json`.

# %% tags=["parameters"]
profile = "light"   # type: str  # smoke | light | full
draws = 0           # type: int  # draws of pseudo-events; 0 keeps the profile's number
events = 40         # type: int  # pseudo-events a year of ESK; the months use every night
bearing_deg = 30.0  # type: float  # of the planted source, from the H axis
alarm_nt = 0.2      # type: float  # amplitude on which the detector of the alarms was trained
seed = 14           # type: int  # of the first draw

# %%
# inputs: DATA
import numpy as np
import pandas as pd

from lib import config, night, real_power, report
from lib.earth import catalog, intelecell, planted, pseudo, series_checks, significant, stations, survey
from lib.files import InputError
from lib.report import nights as drawn

report.begin("14_real_noise", profile)
folder = config.data_folder()
has_records = folder is not None and (survey.part(folder, "geomag") / "min1_ESK_2003").is_dir()
found = dict(report.load_results("14_real_noise", "light", required=not has_records) or {})
print("Shown here:", "records read in this run." if has_records else "the committed results of an earlier run.")

# %% [markdown]
# ## The records and their nights
# The header of ESK 2015 gives the latitude with the wrong sign; it is corrected on reading. A night is the four
# hours after local midnight, rounded to the UTC hour. Gaps under three minutes take the mean of the night, a night
# with a longer one is dropped.

# %%
geomag = survey.part(folder, "geomag") if has_records else None
places = {"ESK 2003": "min1_ESK_2003/*", "ESK 2015": "min1_ESK_2015/*", "BOU Jan 2016": "min1_BOU_2016-01/*adj*",
          "MMB Mar 2011": "min1_JP_2011-03/mmb*"}
minutes = {name: series_checks.continuous(sorted(geomag.glob(pattern)), latitude=55.3 if "ESK" in name else None,
                                          gaps="keep")
           for name, pattern in places.items()} if has_records else {}
indices = survey.read_indices(survey.part(folder, "space_weather")) if has_records else {}
cut = {name: pseudo.cut_nights(record, **indices) for name, record in minutes.items()}

# %%
if has_records:
    found["nights"] = pd.DataFrame([{
        "record": name, "nights": len(table), "dropped": table.attrs["dropped"], "kp": table.kp_max.median(),
        "dst_min": table.dst_min.min(), **dict(zip("HDZ", np.median(real_power.band_rms(x), 0), strict=True))}
        for name, (table, x) in cut.items()])
quiet = pd.DataFrame(found["nights"]).set_index("record")[["nights", "dropped", "kp", "dst_min", *"HDZ"]]
quiet.columns = ["nights", "dropped", "median Kp", "lowest Dst (nT)", "H (nT)", "D (nT)", "Z (nT)"]
report.table(quiet, "noise-nights", "Nights used, and the median over nights of the rms between 1 and 8 mHz.",
             {"median Kp": "{:.1f}", "lowest Dst (nT)": "{:.0f}", **{f"{c} (nT)": "{:.2f}" for c in "HDZ"}})

# %%
report.glue("quietest-z", float(quiet["Z (nT)"].min()), "{:.2f}")
report.glue("loudest-h", float(quiet["H (nT)"].max()), "{:.2f}")
report.glue("nights-dropped", int(quiet.dropped.sum()))

# %% [markdown]
# Real noise between 1 and 8 mHz is {glue:text}`quietest-z` nT in the quietest component and {glue:text}`loudest-h` nT
# in the loudest; {glue:text}`nights-dropped` nights were dropped, nearly all in months that the files do not hold.
# The world of the other chapters has its precursor at 0.01 to 0.05 Hz. Minute values cannot hold it, and the
# attempt to plant it is refused:

# %%
try:
    planted.signal(["2015-01-02"], "2015-01-01", 240, seed, planted.make_shape(band_hz=(0.01, 0.05)))
except InputError as refusal:
    print(refusal)

# %% [markdown]
# ## A signal of known amplitude
# Pseudo-events are put on random dates. In the night before each, noise of 1 to 8 mHz is added: horizontal along the
# bearing, with the vertical part of a dipole 20 km deep and 50 km away, on for 30 to 100 % of every hour. The amplitude
# is its horizontal rms while it is on. Every event night is matched with a night of the same station and season
# and like Kp. A logistic regression sees log power in four bands of three components; a matched pair is never
# parted between training and test. Under P5 the folds are blocks of time with an embargo of 30 days, which a
# record of one month cannot give.

# %%
amplitudes = [0.0, 0.1, 0.3] if profile == "smoke" else [0.0, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3]
n_draws = draws or {"smoke": 2, "light": 16, "full": 200}[profile]
sites = {"ESK": (["ESK 2003", "ESK 2015"], events), "BOU": (["BOU Jan 2016"], None), "MMB": (["MMB Mar 2011"], None)}
rows = [{"site": site} | row for site, (names, n) in sites.items() for i in range(n_draws) if has_records
        for row in real_power.score_draw([cut[name] for name in names], amplitudes, seed + i, n_events=n,
                                         bearing_deg=bearing_deg)]
if has_records:
    groups = dict(list(pd.DataFrame(rows).groupby(["site", "protocol"])))
    found["curve"] = pd.concat([real_power.power_curve(some).assign(site=site, protocol=protocol)
                                for (site, protocol), some in groups.items()])
    found["eighty"] = {f"{site}, {protocol}": real_power.amplitude_at(some, seed)
                       for (site, protocol), some in groups.items()}

# %%
curve = pd.DataFrame(found["curve"])
curve["name"] = curve.site + ", " + curve.protocol
power = curve.pivot(index="amplitude_nt", columns="name", values="power")
low, high = (curve.pivot(index="amplitude_nt", columns="name", values=f"power_{end}") for end in ("low", "high"))
fig = report.plot_lines(power.index.to_numpy(), {name: power[name].to_numpy() for name in power},
                        "planted amplitude (nT)", "share of draws found",
                        bands={name: (low[name], high[name]) for name in ("ESK, P5", "MMB, P2")
                               if name in power}) if has_records else None
report.figure(fig, "noise-power", caption="Power (share of draws with p at or below 0.05) against amplitude in the noise "
                                          "of three observatories; shaded for two curves: 95 % interval over draws.",
              alt="Four curves that rise from near zero to one between 0.03 and 0.2 nT, the earliest at Memambetsu.")

# %%
eighty = pd.DataFrame(found["eighty"]).T.astype(float)
eighty["interval"] = [f"{a:.3f} to {b:.3f}" if b == b else "not reached in every resample"
                      for a, b in zip(eighty.low, eighty.high, strict=True)]
at = curve.set_index("name").groupby(level=0)
eighty["events"], eighty["largest fall"] = at.n_events.mean(), eighty.violation
eighty["MCC at 0.1 nT"] = curve[curve.amplitude_nt == 0.1].set_index("name").mcc
shown = eighty[["events", "nt", "interval", "MCC at 0.1 nT", "largest fall"]].rename(columns={"nt": "80 % point (nT)"})
report.table(shown.rename_axis("record, protocol"), "noise-eighty",
             "Amplitude found in 80 % of draws, with its interval over draws, and the largest fall of the raw power "
             "curve from one amplitude to the next.", {"events": "{:.0f}", "MCC at 0.1 nT": "{:.2f}",
                                                       "largest fall": "{:.3f}"})

# %%
for name, key in {"ESK, P2": "esk-p2", "ESK, P5": "esk-p5", "BOU, P2": "bou", "MMB, P2": "mmb"}.items():
    point = found["eighty"].get(name, {}).get("nt")
    report.glue(f"eighty-{key}", "not reached" if point is None else f"{point:.2f}")
if (point := found["eighty"].get("ESK, P5", {}).get("nt")) is not None:
    report.glue("eighty-nt", float(point))
report.glue("eighty-esk-span", eighty.interval["ESK, P5"])
report.glue("largest-fall", float(eighty.violation.max()), "{:.2f}")
report.glue("noise-draws", int(curve.n_draws.min()))

# %% [markdown]
# At ESK 80 % of {glue:text}`noise-draws` draws are found from {glue:text}`eighty-esk-p2` nT on when held out by event,
# and from {glue:text}`eighty-esk-p5` nT ({glue:text}`eighty-esk-span`) under P5; at BOU from {glue:text}`eighty-bou` nT
# and at MMB from {glue:text}`eighty-mmb` nT, with far fewer events but less noise. No raw curve
# falls by more than {glue:text}`largest-fall` from one amplitude to the next. All draws share the nights of one record:
# the intervals do not say how another year would be. And the numbers belong to this signal: on for hours, in every
# event, broad-band and known to fill the night that is looked at. One that differs from event to event would need
# more.
#
# ## Nothing planted
# The same draws at amplitude zero: the records are as they were, and the pseudo-events are dates like any other.
# Beside them the design of the published studies, quiet nights taken below Kp 2 instead of matched ones.

# %%
naive = [row for i in range(n_draws) if has_records for row in real_power.score_draw(
    [cut["ESK 2003"], cut["ESK 2015"]], [0.0], seed + i, ("P2",), events, quiet_kp=2.0)]
if has_records:
    found["naive"] = real_power.power_curve(pd.DataFrame(naive)).iloc[0].to_dict()
zero = curve[curve.amplitude_nt == 0].set_index("name")[["mcc", "low", "high", "power", "power_low", "power_high"]]
zero.loc["ESK, P2, quiet nights below Kp 2"] = pd.Series(found["naive"])
zero["interval"] = [f"{a:+.2f} to {b:+.2f}" for a, b in zip(zero.low, zero.high, strict=True)]
zero["of the share"] = [f"{a:.2f} to {b:.2f}" for a, b in zip(zero.power_low, zero.power_high, strict=True)]
shown = zero[["mcc", "interval", "power", "of the share"]].rename(
    columns={"mcc": "mean MCC", "interval": "95 % of draws", "power": "share p <= 0.05", "of the share": "its interval"})
report.table(shown.rename_axis("record, protocol"), "noise-null", "Scores where nothing is planted, over draws of "
             "pseudo-events.", {"mean MCC": "{:+.2f}", "share p <= 0.05": "{:.2f}"})

# %%
report.glue("null-p2", zero.interval["ESK, P2"])
report.glue("null-p5", zero.interval["ESK, P5"])
report.glue("null-naive", zero.interval["ESK, P2, quiet nights below Kp 2"])
report.glue("null-covers", "cover" if all(zero.low[n] <= 0 <= zero.high[n] for n in ("ESK, P2", "ESK, P5"))
            else "do not cover")

# %% [markdown]
# ESK is practically aseismic and nothing was planted: 95 % of the draws lie within {glue:text}`null-p2` under P2 and
# {glue:text}`null-p5` under P5, intervals that {glue:text}`null-covers` chance, which is zero. With quiet nights
# below Kp 2 the same records and dates give {glue:text}`null-naive`: the score of a detector of geomagnetic activity.
#
# ## What raises the alarm
# A detector that does find planted signals is trained on one year of ESK and asked about every night of the other,
# untouched. Beside it two single numbers: the polarisation ratio as distance from the 30 nights before, and the power
# itself. The top decile of nights raises the alarm. Intervals are over weeks.

# %%
told = {name: night.describe(record, indices["kp"]) for name, record in minutes.items()}
alarms = []
for watched, other in (("ESK 2003", "ESK 2015"), ("ESK 2015", "ESK 2003")) if has_records else ():
    scores = {"trained on the other year": real_power.untouched_scores(
        [cut[other]], cut[watched], alarm_nt, range(seed, seed + min(n_draws, 10)))}
    alarms.append({"watched": watched, "score": "trained on the other year"} | real_power.against_kp(
        scores["trained on the other year"], cut[watched][0].kp_max, seed))
    for column, words in {"z": "polarisation, z", "power": "power, 1 to 8 mHz"}.items():
        alarms.append({"watched": watched, "score": words} | real_power.against_kp(
            told[watched][column], told[watched].kp, seed))
if has_records:
    found["alarms"] = pd.DataFrame(alarms)

# %%
alarm = pd.DataFrame(found["alarms"])
alarm["interval"] = [f"{a:+.2f} to {b:+.2f}" for a, b in zip(alarm.low, alarm.high, strict=True)]
alarm.index = pd.Index(alarm.watched + ", " + alarm.score, name="nights watched, score")
shown = alarm[["n", "rho", "interval", "n_alarms", "kp_alarms", "kp_others"]]
shown.columns = ["nights", "correlation with Kp", "interval", "alarms", "Kp, alarms", "Kp, others"]
report.table(shown, "noise-alarms", "Nightly scores where nothing is planted, against Kp (Spearman).",
             {"correlation with Kp": "{:+.2f}", "Kp, alarms": "{:.1f}", "Kp, others": "{:.1f}"})

# %%
network = alarm[alarm.score == "trained on the other year"].set_index("watched")
for year in ("2003", "2015"):
    report.glue(f"alarm-rho-{year}", f"{network.rho['ESK ' + year]:+.2f} ({network.interval['ESK ' + year]})")
ratio = alarm[alarm.score == "polarisation, z"].set_index("watched")
report.glue("ratio-rho-2003", f"{ratio.rho['ESK 2003']:+.2f} ({ratio.interval['ESK 2003']})")
report.glue("ratio-rho-2015", f"{ratio.rho['ESK 2015']:+.2f} ({ratio.interval['ESK 2015']})")
report.glue("alarm-kp", f"{network.kp_alarms['ESK 2015']:.1f} against {network.kp_others['ESK 2015']:.1f}")

# %% [markdown]
# Although Kp was matched in training, the detector's score in 2015 follows it with correlation
# {glue:text}`alarm-rho-2015` (mean Kp of alarms and other nights: {glue:text}`alarm-kp`), in 2003 with
# {glue:text}`alarm-rho-2003`. What it makes of another year depends on the year it was trained on; the two differ in
# activity and in resolution (0.1 nT in 2003, 1 nT in 2015), and this run cannot tell these apart. The polarisation ratio, too, is no pure number of the ground:
# {glue:text}`ratio-rho-2003` in 2003 and {glue:text}`ratio-rho-2015` in 2015. With ten alarms in a hundred nights by
# construction, some precede some earthquake somewhere.
#
# ## Memambetsu, March 2011
# The month of the magnitude 9 earthquake off Tohoku. The file begins on 1 March, so there are no 30 nights before
# it to compare with, and 15 are the least that we accept. No other record of the folder
# covers the month, so there is no remote station; Kp has to stand for it.

# %%
if has_records:
    found["mmb"] = told["MMB Mar 2011"].reset_index().astype({"night": str, "start": str})
    quakes = catalog.select(catalog.read_catalog(folder / "earthquakes" / "usgs_global_M4_2011.csv.gz", "drop"),
                            min_magnitude=7.0, start="2011-03-01", end="2011-04-01")
    quakes["distance_km"], _ = stations.distance_azimuth(43.91, 144.19, quakes.latitude, quakes.longitude)
    quakes = quakes[quakes.distance_km < 1000].reset_index(drop=True)
    found["tohoku"] = quakes[["time", "magnitude", "distance_km"]].join(night.before_events(
        told["MMB Mar 2011"], quakes)).astype({"time": str})

# %%
mmb = pd.DataFrame(found["mmb"]).astype({"night": "datetime64[ns]"}).set_index("night")
middle = pd.to_datetime(mmb.start) + pd.Timedelta(hours=2)
panels = {"ratio": mmb[["ratio"]], "Higuchi D": mmb.filter(like="higuchi").rename(columns=lambda c: c[-1].upper()),
          "Kp": mmb[["kp"]]}
panels = {name: frame.astype(float).set_axis(middle) for name, frame in panels.items()}
fig = drawn.plot_nights(panels, pd.to_datetime(pd.DataFrame(found["tohoku"]).time)) if has_records else None
report.figure(fig, "mmb-nights", caption="Memambetsu, nights of March 2011: polarisation ratio, Higuchi dimension and "
              "largest Kp. Upright lines: magnitude 7 and more within 1000 km.",
              alt="Three panels of 31 nights; the ratio is high where Kp is low, and the dimension moves with it.")

# %%
tohoku = pd.DataFrame(found["tohoku"])
tohoku.index = pd.Index(tohoku.time.str[:16], name="time (UTC)")
shown = tohoku[["magnitude", "distance_km", "nights", "with_z", "kp_max"]]
shown.columns = ["magnitude", "distance (km)", "nights in the week before", "of these with a z", "largest Kp"]
report.table(shown, "mmb-before", "Earthquakes of magnitude 7 and more within 1000 km of Memambetsu.",
             {"magnitude": "{:.1f}", "distance (km)": "{:.0f}", "largest Kp": "{:.1f}"})

# %%
scored = mmb[mmb.z.notna()].astype({"z": float})
top, link = scored.z.idxmax(), real_power.against_kp(mmb.ratio, mmb.kp, seed)
eve = mmb.loc["2011-03-11"]
report.glue("mmb-first", f"{scored.index[0]:%d %B}")
report.glue("mmb-top", f"{scored.z[top]:+.1f}")
report.glue("mmb-days", int((top - pd.Timestamp("2011-03-11")).days))
report.glue("mmb-top-night", f"{top:%d %B}")
report.glue("mmb-top-kp", float(mmb.kp[top]), "{:.1f}")
report.glue("mmb-rho", f"{link['rho']:+.2f} ({link['low']:+.2f} to {link['high']:+.2f})")
report.glue("mmb-eve", f"{eve.ratio:.2f}, rank {int((mmb.ratio > eve.ratio).sum()) + 1} of {len(mmb)}")
report.glue("mmb-higuchi", f"{np.corrcoef(mmb.higuchi_z.astype(float), mmb.kp.astype(float))[0, 1]:+.2f}")

# %% [markdown]
# The last night before the earthquake has a ratio of {glue:text}`mmb-eve`. Nights have a past to be compared with from
# {glue:text}`mmb-first` on; the most anomalous is that of {glue:text}`mmb-top-night`, {glue:text}`mmb-top` standard
# deviations, {glue:text}`mmb-days` days *after* the earthquake, with Kp {glue:text}`mmb-top-kp`: a very quiet night. Ratio and Kp go together with
# {glue:text}`mmb-rho`, the Higuchi dimension of Z and Kp with {glue:text}`mmb-higuchi`. Had the order been reversed,
# the same quiet night would have been called a precursor.
#
# ## Kodiak and Old Harbor, 2015 to 2016
# Two school magnetometers on one island, 85 km apart, run for a project on earthquake precursors. Times are Alaska local
# time, the orientation is unknown, and one sensor jumps between states: read strictly, its files are refused.

# %%
sensors = {"Kodiak": "min1_Alaska_InteleCell-Kodiak", "Old Harbor": "min1_Alaska_InteleCell-Old-Harbor"}
school = {name: intelecell.read_station(geomag / part) for name, part in sensors.items()} if has_records else {}
schooled = {name: night.describe(record, indices["kp"]) for name, record in school.items()}
remote = night.describe(minutes["ESK 2015"].assign_attrs(longitude=-152.39), indices["kp"]) if has_records else None
both = {name: night.beside(table, remote) for name, table in schooled.items()}
if has_records:
    found["jumped"] = {name: record.attrs["jumped"] for name, record in school.items()}
    found["quality"] = pd.DataFrame([{
        "record": name, **{f"kp_{k}": v for k, v in real_power.against_kp(table.power, table.kp, seed).items()},
        "higuchi": table.higuchi_z.median(), "ratio": table.ratio.median(), "rms": 10 ** (table.power.median() / 2)}
        for name, table in (told | schooled).items()])
    pair = night.beside(schooled["Kodiak"], schooled["Old Harbor"])
    found["island"] = {"nights": int(pair[["power", "power_remote"]].notna().all(axis=1).sum()), "power": float(
        pair[["power", "power_remote"]].corr("spearman").iloc[0, 1])}

# %%
quality = pd.DataFrame(found["quality"]).set_index("record")
quality["interval"] = [f"{a:+.2f} to {b:+.2f}" for a, b in zip(quality.kp_low, quality.kp_high, strict=True)]
shown = quality[["kp_n", "kp_rho", "interval", "higuchi", "ratio", "rms"]]
shown.columns = ["whole nights", "power and Kp", "interval", "Higuchi D of Z", "ratio", "level (nT per root Hz)"]
report.table(shown, "noise-quality", "Does the power of a night follow Kp (Spearman, interval over weeks)? Medians over "
             "nights of the other numbers.", {"power and Kp": "{:+.2f}", "Higuchi D of Z": "{:.2f}", "ratio": "{:.2f}",
                                              "level (nT per root Hz)": "{:.0f}"})

# %%
observatories = [name for name in quality.index if name not in sensors]
report.glue("kp-observatories", f"{quality.kp_rho[observatories].min():.2f}")
report.glue("kp-school", f"{quality.kp_rho['Kodiak']:+.2f} and {quality.kp_rho['Old Harbor']:+.2f}")
report.glue("island-power", found["island"]["power"], "{:+.2f}")
report.glue("island-nights", found["island"]["nights"])
report.glue("school-jumped", int(found["jumped"]["Kodiak"]))
report.glue("school-level", float(quality.rms[["Kodiak", "Old Harbor"]].min() / quality.rms[observatories].max()),
            "{:.0f}")

# %% [markdown]
# At every observatory the power of the night follows Kp, with a correlation of {glue:text}`kp-observatories` or more. At
# the two schools it is {glue:text}`kp-school`, the two stations agree with one another by {glue:text}`island-power` over
# {glue:text}`island-nights` nights, and their level is at least {glue:text}`school-level` times that of the loudest
# observatory. {glue:text}`school-jumped` minutes of Kodiak lie in another state of the sensor and are left out. A record
# that does not see a magnetic storm cannot be asked about a signal of a fraction of a nanotesla.

# %%
if has_records:
    strong = catalog.select(significant.read_significant(
        folder / "earthquakes" / "earthquake_database_1965-2016_M5.5.csv.gz"), start="2015-04-01", end="2016-06-15")
    strong["distance_km"], _ = stations.distance_azimuth(57.79, -152.39, strong.latitude, strong.longitude)
    strong = strong[strong.distance_km < 600].reset_index(drop=True)
    found["alaska"] = pd.concat([strong[["time", "magnitude", "distance_km", "depth_km"]].join(
        night.before_events(table, strong)).assign(station=name) for name, table in both.items()]).astype({"time": str})
    found["beyond"] = {name: float((table.z.dropna() > 2).mean()) for name, table in both.items()}
alaska = pd.DataFrame(found["alaska"]).astype({"z_max": float, "z_remote": float, "kp_max": float})
alaska.index = pd.Index(alaska.time.str[:16] + ", " + alaska.station, name="time (UTC), station")
shown = alaska[["magnitude", "distance_km", "nights", "z_max", "z_remote", "kp_max"]]
shown.columns = ["magnitude", "distance (km)", "nights in the week before", "largest z", "z at ESK then", "largest Kp"]
report.table(shown, "alaska-before", "Earthquakes of magnitude 5.5 and more within 600 km of Kodiak, and the week before.",
             {"magnitude": "{:.1f}", "distance (km)": "{:.0f}", "largest z": "{:+.1f}", "z at ESK then": "{:+.1f}",
              "largest Kp": "{:.1f}"})

# %%
curves = pd.DataFrame({name: table.z for name, table in both.items()}) if has_records else None
panels = {"z, island": curves, "z, ESK": remote.z, "Kp": schooled["Kodiak"].kp} if has_records else {}
fig = drawn.plot_nights({name: curve.asfreq("D")["2015-04":"2016-06"] for name, curve in panels.items()},
                        strong.time) if has_records else None
report.figure(fig, "alaska-nights", caption="Kodiak and Old Harbor: polarisation ratio as distance from the 30 nights "
              "before, the same hours at Eskdalemuir, and Kp. Upright lines: magnitude 5.5 and more within 600 km.",
              alt="Three panels over fifteen months with holes; single nights at one island station stand out by up to "
                  "seventeen standard deviations, never at both.")

# %%
week = {name: 1 - (1 - share) ** 7 for name, share in found["beyond"].items()}
report.glue("beyond-kodiak", 100 * found["beyond"]["Kodiak"], "{:.0f}")
report.glue("beyond-week", 100 * max(week.values()), "{:.0f}")
report.glue("alaska-events", int(alaska.time.nunique()))
report.glue("alaska-rows", f"{int((alaska.with_z == 0).sum())} of {len(alaska)}")
report.glue("alaska-high", int((alaska.z_max > 2).sum()))
sister = alaska[alaska.time.isin(alaska.time[alaska.z_max > 2]) & (alaska.z_max <= 2)].z_max
report.glue("alaska-sister", f"{sister.max():+.1f}" if len(sister) else "no value")

# %% [markdown]
# Of {glue:text}`alaska-events` earthquakes at two stations, {glue:text}`alaska-rows` weeks hold no night that can be
# normalised; the strongest earthquake, of 24 January 2016, falls into a month that neither station has. In
# {glue:text}`alaska-high` weeks a night exceeds two standard deviations, by several at that; in the same weeks the
# other station, 85 km away, reaches {glue:text}`alaska-sister` at most. What one of the
# two sees alone is more likely its own than the ground's. At Kodiak {glue:text}`beyond-kodiak` % of all
# nights do; were nights independent, a week with at least one such night would come by chance in up to
# {glue:text}`beyond-week` % of cases.
#
# ## What a careful analyst may say, and may not
# May say: which amplitude of which signal would have been found here, and with what error; that the ratio of March
# 2011 follows Kp; that two records are not of the Earth's field at the level in question; that weeks before some
# earthquakes were not recorded.
#
# May not say: that a precursor was seen, from one earthquake, without a past to normalise by and without a remote
# station; that there was none, for signals shorter, weaker or elsewhere in frequency than those planted; that a score
# on random dates means anything before the design has been shown to give chance with nothing planted; and nothing
# about 0.01 to 0.05 Hz, which minute values do not hold.
#
# ## Save

# %%
report.save_results("14_real_noise", {key: found[key] for key in (
    "nights", "curve", "eighty", "naive", "alarms", "mmb", "tohoku", "jumped", "quality", "island", "alaska", "beyond")})

# %% [markdown]
# ## Take-away
# - Real noise is no obstacle to finding a strong, steady, known signal: the amplitude that is found can be stated in nT.
# - Where nothing is planted, matched designs give chance; quiet-day controls and another year's detector give Kp.
# - One month around one earthquake has no past, no remote station and no second event: it can illustrate, not decide.
# - Whether a record sees magnetic storms is the first thing to ask of it.
#
# ## Exercises
# **1. From another side.** `make run NB=14_real_noise P="-p profile smoke -p bearing_deg 120" DATA=folder
# OUT=out.ipynb` plants the same amplitude from another bearing. Why does the amplitude that is found depend on it?
#
# **2. Fewer earthquakes.** Halve `events`. Which part of the curve moves, and is it the noise or the number of
# earthquakes that sets the limit?
#
# **3. One month, one earthquake.** Somebody shows you the nights before a large earthquake with the polarisation
# ratio standing out. Which three curves from this page would you ask for next to it?
