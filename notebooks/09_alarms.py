# %% [markdown]
# (nb-alarms)=
# # What would an alarm be worth, week after week?
#
# :::{glance}
# You learn
# : how to judge alarms that run every week: Molchan diagram, area skill, base rate, and two references
#
# You need
# : {numref}`Chapter %s <nb-loeo>`; the word {term}`precursor`
# :::
#
# **In short.** Worth something only where a precursor was planted. Area skill, for which chance is one half, is
# {glue:text}`null-declustered-clustered-skill` in the null world (p = {glue:text}`null-declustered-clustered-p`)
# and {glue:text}`planted-declustered-clustered-skill` in the planted one (p =
# {glue:text}`planted-declustered-clustered-p`), on declustered targets against a clustered reference. Even there a
# precision of {glue:text}`planted-balanced-percent` % on balanced windows becomes
# {glue:text}`planted-precision-percent` % at the rate at which earthquakes come. And an alarm for the whole network
# is right in {glue:text}`network-always-percent` % of the weeks if it simply never ends.
#
# A score on balanced windows says little about a system that watches every day. We let one run: every station
# raises an alarm level each week and is then judged by the earthquakes that come. Where no precursor exists the
# level is worthless; where one was planted it has skill. A list of recent earthquakes may seem to have some, until
# aftershocks are accounted for, and an alarm for the whole network is nearly always right, magnetometer or not.
#
# ## Overview
# **Question.** How good are alarms at the rate at which earthquakes really occur, and compared with what?
# **Input.** A world with clustered earthquakes, once without a precursor and once with one; no network is trained.
# **Output.** `results/<profile>/09_alarms.json`.

# %% tags=["parameters"]
profile = "light"  # type: str    # smoke | light | full
snr = 2.0          # type: float  # amplitude planted in the second world, in units of its sigma0
share = 0.1        # type: float  # part of the training weeks that the threshold puts under alarm
seed = 42          # type: int    # names the world and every draw

# %%
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lib import alarms, config, floors, forecast_tests, report, splits, stft, synthetic
from lib.earth import catalog

report.begin("09_alarms", profile)

# %% [markdown]
# ## How many earthquakes does it take?
# This table comes before any result. It says how many independent earthquakes a test needs to tell a hit rate
# from that of a coin, with a risk of 5 % to be fooled and of 20 % to miss the difference.

# %%
needed = forecast_tests.sample_size_table().set_index("hit_rate").rename_axis("hit rate")
report.table(needed, "alarm-sample-size", "Earthquakes needed to tell a hit rate from chance (one-sided test at "
                                          "5 %, power 80 %).", {"chance": "{:.2f}"})

# %% [markdown]
# ## Every station, every day
# Windows are no longer chosen. One hour of each night at each station is a window, in quiet and in storm. It
# counts as an event if an earthquake of M ≥ 5 follows within a week and the radius of the study. Earthquakes
# cluster here (ETAS, {cite:t}`ogata1998`).

# %%
study = config.load("convnext", profile, {
    "seed": seed, "world.snr": snr, "world.clustering": "etas", "windows.design": "operational",
    "windows.n_windows": 10**9, "windows.window_s": 3600, "windows.min_magnitude": 5.0, "stft.size": (32, 16)})
world = synthetic.make_world(study)
station_days = synthetic.make_windows(study)
station_days["followed"] = station_days.event_id != ""
base_rates = station_days.groupby("station").followed.mean()
base_rate = float(station_days.followed.mean())

# %%
report.glue("station-days", len(station_days))
report.glue("n-stations", len(base_rates))
report.glue("radius-km", study.windows.radius_km, "{:.0f}")
report.glue("base-rate-percent", 100 * base_rate)
report.glue("base-rate-low-percent", 100 * base_rates.min())
report.glue("base-rate-high-percent", 100 * base_rates.max())

# %% [markdown]
# Of {glue:text}`station-days` station-days, {glue:text}`base-rate-percent:.1f` % are followed by such an
# earthquake within {glue:text}`radius-km` km: the *base rate*. It runs from
# {glue:text}`base-rate-low-percent:.1f` % to {glue:text}`base-rate-high-percent:.1f` % among the
# {glue:text}`n-stations` stations. A data set with as many event windows as quiet ones has a base rate of 50 %.
#
# ## One station or the whole network?
# The larger the region, the surer the earthquake. We count weeks, and compare with what a Poisson process of the
# same rate gives.

# %%
targets_all = catalog.select(world.catalog, min_magnitude=5.0, max_depth_km=study.windows.depth_km)
windows = station_days[(station_days.end - station_days.end.min()).dt.days % 7 == 0].reset_index(drop=True)
weeks = np.append(windows.end.unique(), windows.end.max() + pd.Timedelta(days=7)).astype("datetime64[ns]")
everywhere = 20_040.0    # km, half the way round the Earth: no earthquake lies farther from any point
counts = {f"station {row.code}": alarms.count_near(weeks, targets_all, row.latitude, row.longitude,
                                                   study.windows.radius_km)
          for row in world.stations.itertuples() if row.code in (base_rates.idxmin(), base_rates.idxmax())}
counts |= {f"network, M ≥ {m}": alarms.count_near(weeks, targets_all[targets_all.magnitude >= m], 0.0, 118.0,
                                                  everywhere) for m in (5, 6)}

# %%
years = len(next(iter(counts.values()))) * 7 / 365.25
scales = pd.DataFrame({name: {
    "earthquakes a year": n.sum() / years, "weeks with one": (n > 0).mean(),
    "expected, Poisson": forecast_tests.network_probability(n.sum() / years, 7)} for name, n in counts.items()}).T
report.table(scales.rename_axis("where"), "alarm-scales",
             "Stations with the lowest and the highest base rate, and the whole network: share of weeks with an "
             "earthquake. An alarm that never ends is right this often.",
             {"earthquakes a year": "{:.1f}", "weeks with one": "{:.3f}", "expected, Poisson": "{:.3f}"})

# %%
report.glue("network-week-percent", 100 * scales["weeks with one"]["network, M ≥ 5"])
report.glue("network-week-large-percent", 100 * scales["weeks with one"]["network, M ≥ 6"])

# %% [markdown]
# Somewhere in the network an earthquake of M ≥ 5 comes in {glue:text}`network-week-percent:.0f` % of all weeks,
# one of M ≥ 6 in {glue:text}`network-week-large-percent:.0f` %. Whoever announces the first without saying where
# is right {glue:text}`network-week-percent:.0f` times in a hundred.
#
# ## The magnetic alarm
# Each station issues one alarm level a week: the probability that a logistic regression gives to an earthquake,
# from the power in bands of one hour of record. The two worlds share every earthquake and every sample of the
# background.

# %%
amplitudes, frequency_hz = {"null": 0.0, "planted": snr}, stft.frequencies_hz(study.stft)
power = {name: [] for name in amplitudes}
for _, week in windows.groupby("start"):       # one week of all stations in memory
    record = np.stack([world.window(row.station, row.start, study.windows.window_s, amplitude)
                       for row in week.itertuples() for amplitude in amplitudes.values()])
    found = floors.features(stft.spectrogram(record, study.stft), frequency_hz, seed)["band_power"]
    for k, name in enumerate(amplitudes):
        power[name].append(found[k::len(amplitudes)])

# %% [markdown]
# The rule is learned on the first half of time and judged on the second (protocol P6). Between them lies an
# embargo: no label and no disturbance reaches across. The threshold that makes an alarm of a level is fixed on the
# training part as well.

# %% tags=["show"]
[(train, test)] = splits.folds(windows, "P6", 2, seed, on_absent="ignore")
level, limit = {}, {}
for name, parts in power.items():
    rule = make_pipeline(StandardScaler(), LogisticRegression(C=floors.REGULARISATION, max_iter=500))
    rule.fit(np.concatenate(parts)[train], windows.followed[train])
    level[name] = rule.predict_proba(np.concatenate(parts))[:, 1]
    limit[name] = np.quantile(level[name][train], 1 - share)

# %%
report.glue("n-train", len(train))
report.glue("n-test", len(test))
report.glue("n-embargoed", int((windows.start < windows.start[test].min()).sum() - len(train)))

# %% [markdown]
# {glue:text}`n-train` station-weeks train, {glue:text}`n-embargoed` are lost to the embargo, and
# {glue:text}`n-test` are judged.
#
# ## What the alarms are judged on
# The judged time and the region around the stations are parted into cells of one day and one degree. Targets are
# counted twice: all earthquakes, and *declustered* ones, the largest of each family {cite:p}`gardner1974`. An
# alarm covers the cells within the radius that lie wholly in the week after it was issued.

# %%
first, last = windows.end[test].min(), windows.end[test].max() + pd.Timedelta(days=7)
box = (90, 145, -14, 10)     # degrees west, east, south, north: holds the circle of every station
cells, past = (alarms.make_cells(*span, box) for span in ((first, last), (windows.end.min(), first)))
targets = {"declustered": catalog.select(alarms.mainshocks(world.catalog), min_magnitude=5.0,
                                         max_depth_km=study.windows.depth_km), "full": targets_all}
places = world.stations.set_index("code").loc[windows.station[test], ["latitude", "longitude"]]
issued = pd.DataFrame({"issued": windows.end[test].to_numpy(), "latitude": places.latitude.to_numpy(),
                       "longitude": places.longitude.to_numpy()})
painted = {f"magnetic, {name} world": alarms.paint(cells, issued.assign(score=value[test]),
                                                   study.windows.radius_km, 7) for name, value in level.items()}

# %% [markdown]
# What would chance hit? Two references answer. *Uniform*: earthquakes come at any time, where they came before.
# *Clustered*: likewise, but more of them within a week and 100 km of an M ≥ 5, by a factor measured before the
# judged time. And one alarm function needs no magnetometer at all: *recent activity* is on where the clustered
# reference is raised.

# %%
watched = np.isfinite(painted["magnetic, null world"]).any(0)          # places within reach of a station
history = world.catalog[world.catalog.time < first]
n_targets = {kind: alarms.count_targets(cells, table)[:, watched] for kind, table in targets.items()}
boost = {kind: alarms.activity_boost(past, history, alarms.count_targets(past, table))
         for kind, table in targets.items()}
references = {kind: {"uniform": alarms.uniform_reference(cells, history)[:, watched],
                     "clustered": alarms.clustered_reference(cells, history, world.catalog, factor)[:, watched]}
              for kind, factor in boost.items()}
functions = {name: value[:, watched] for name, value in painted.items()}
functions["recent activity"] = alarms.recent_activity(cells, world.catalog)[:, watched].astype(float)

# %%
for kind, n in n_targets.items():
    report.glue(f"n-{kind}", int(n.sum()))
    report.glue(f"boost-{kind}", boost[kind])
report.glue("boost-judged", alarms.activity_boost(cells, world.catalog, alarms.count_targets(cells, targets_all)))
report.glue("chance-sd", float((12 * n_targets["declustered"].sum()) ** -0.5))

# %% [markdown]
# There are {glue:text}`n-declustered` declustered targets and {glue:text}`n-full` in all. By the table above, that
# is how many units the test has, whatever the number of windows. Recent activity raises the clustered rate
# {glue:text}`boost-declustered:.1f` times for declustered and {glue:text}`boost-full:.1f` times for all targets.
#
# ## Hits against alarm time
# A Molchan diagram shows, for every threshold, the share of targets missed against the share of the reference
# under alarm. Chance runs down the diagonal. The *area skill* is the area above the curve
# {cite:p}`zechar2008`: one half for chance, one for a perfect alarm.

# %%
grid = np.linspace(0, 1, 101)
curves = {name: np.interp(grid, *forecast_tests.molchan(value, references["full"]["uniform"], n_targets["full"]))
          for name, value in functions.items()}
fig = report.plot_lines(grid, curves | {"always, or chance": 1 - grid},
                        "share of the reference under alarm", "share of targets missed")
report.figure(fig, "alarm-molchan",
              caption="Molchan diagram on all targets under the uniform reference. The always-alarm has one point, "
                      "at the lower right; raised at random times it follows the diagonal.",
              alt="Line plot of misses against alarm share: the planted world falls far below the diagonal, the "
                  "null world stays by it, recent activity dips below it at small alarm shares only.")

# %%
rng = config.rng(seed, "alarms", "area skill")
board = pd.concat([forecast_tests.scoreboard(functions, references[kind], {kind: n},
                                             study.evaluation.permutations, rng)
                   for kind, n in n_targets.items()], ignore_index=True)
columns = ["alarm", "targets", "reference", "area_skill", "p", "null_sd", "n_units"]
report.table(board[columns].set_index("alarm"), "alarm-skill",
             "Area skill and its p-value (one-sided, targets drawn from the reference); the spread of chance, and "
             "the number of earthquakes.", {"area_skill": "{:.3f}", "p": "{:.3f}", "null_sd": "{:.3f}"})

# %%
skill = board.set_index(["alarm", "targets", "reference"]).sort_index()
names = {"magnetic, null world": "null", "magnetic, planted world": "planted", "recent activity": "recent"}
for (alarm, kind, reference), row in skill.drop("always").iterrows():
    report.glue(f"{names[alarm]}-{kind}-{reference}-skill", row.area_skill, "{:.3f}")
    report.glue(f"{names[alarm]}-{kind}-{reference}-p", row.p, "{:.3f}")

# %%
bars = {reference: {f"{alarm}, {kind}": skill.area_skill[alarm, kind, reference]
                    for alarm in functions for kind in targets} for reference in ("uniform", "clustered")}
fig = report.plot_bars(bars["uniform"] | {"always": 0.5}, "area skill (chance is 0.5)", bars["clustered"],
                       ("uniform reference", "clustered reference"))
report.figure(fig, "alarm-skill-bars",
              caption="Area skill under the uniform reference (bars) and under the clustered one (marks), on "
                      "declustered and on all targets. The always-alarm has the skill of chance.",
              alt="Bar chart: about one half for the null world, recent activity and the always-alarm, near 0.8 "
                  "for the planted world under both references.")

# %% [markdown]
# In the null world the magnetic alarm has an area skill of {glue:text}`null-declustered-uniform-skill` on
# declustered targets under the uniform reference (p = {glue:text}`null-declustered-uniform-p`) and
# {glue:text}`null-declustered-clustered-skill` under the clustered one
# (p = {glue:text}`null-declustered-clustered-p`); chance spreads by {glue:text}`chance-sd:.3f` about one half. In the
# planted world it has {glue:text}`planted-declustered-uniform-skill` and
# {glue:text}`planted-declustered-clustered-skill` (p = {glue:text}`planted-declustered-clustered-p`).
#
# On all targets, recent activity has {glue:text}`recent-full-uniform-skill` under the uniform reference
# (p = {glue:text}`recent-full-uniform-p`): aftershocks, found without any instrument. Under the clustered reference,
# {glue:text}`recent-full-clustered-skill` is left (p = {glue:text}`recent-full-clustered-p`). The factor of that
# reference comes from the few earthquakes before the judged time, {glue:text}`boost-full:.1f`; in the judged time it
# was {glue:text}`boost-judged:.1f`, and a reference that expects too much pushes the skill away from one half. An
# alarm that beats the uniform reference alone has shown that it remembers earthquakes, no more.
#
# ## At one threshold
# The area weighs all thresholds alike. A system has one, and ours was fixed before the judged time.

# %%
raised = {name: value >= limit[key] for (name, value), key in zip(painted.items(), level, strict=True)}
raised = {name: value[:, watched] for name, value in raised.items()}
n, rows = n_targets["declustered"], []
raised |= {"recent activity": functions["recent activity"] > 0, "always": np.ones(n.shape, bool)}
for name, on in raised.items():
    for reference, w in references["declustered"].items():
        tau = min(1.0, float(w[on].sum() / w.sum()))
        found = forecast_tests.alarm_set_test(int(n[on].sum()), int(n.sum()), tau)
        rows.append({"alarm": name, "reference": reference, "hits": int(n[on].sum()), **found})

# %%
sets = pd.DataFrame(rows).set_index("alarm")
report.table(sets[["reference", "hits", "n_units", "tau", "gain", "p"]], "alarm-sets",
             "Declustered targets hit by the alarms above the threshold; tau is the share of the reference under "
             "alarm, gain the hit rate over tau.", {"tau": "{:.3f}", "gain": "{:.2f}", "p": "{:.2g}"})
gains = sets.set_index("reference", append=True).gain
for alarm, key in names.items():
    report.glue(f"gain-{key}-uniform", gains[alarm, "uniform"], "{:.2f}")
    report.glue(f"gain-{key}-clustered", gains[alarm, "clustered"], "{:.2f}")

# %% [markdown]
# Under the clustered reference the alarms of the planted world hit {glue:text}`gain-planted-clustered` times as
# many targets as chance, those of the null world {glue:text}`gain-null-clustered` times. Recent activity drops
# from {glue:text}`gain-recent-uniform` times under the uniform reference to
# {glue:text}`gain-recent-clustered` times.
#
# ## What a warning at one station means
# *Precision* is the share of alarms that an earthquake follows. It depends on the base rate: with sensitivity
# $S$, specificity $C$ and base rate $\pi$ it is $S\pi / (S\pi + (1-C)(1-\pi))$. A test on balanced windows reports
# it for a base rate of one half.

# %%
happened = windows.pivot(index="end", columns="station", values="followed")
judged = happened.loc[windows.end[test].unique()]
alarmed = {f"magnetic, {name} world": windows.assign(on=level[name] >= limit[name]).pivot(
               index="end", columns="station", values="on").loc[judged.index] for name in level}
alarmed["recent activity"] = happened.shift(fill_value=False).loc[judged.index]      # the week before
alarmed["always"] = judged | True

# %%
precision = {}
for name, on in alarmed.items():
    hit, quiet = on.to_numpy()[judged], ~on.to_numpy()[~judged.to_numpy()]
    precision[name] = {
        "sensitivity": hit.mean(), "specificity": quiet.mean(),
        "precision, balanced": forecast_tests.precision_at(hit.mean(), quiet.mean(), 0.5)["ppv"],
        "precision, base rate": forecast_tests.precision_at(hit.mean(), quiet.mean(), base_rate)["ppv"],
        "gain": forecast_tests.precision_at(hit.mean(), quiet.mean(), base_rate)["gain"]}
precision = pd.DataFrame(precision).T.rename_axis("alarm")

# %%
report.table(precision, "alarm-precision", "Alarms of single stations, one a week: precision as a balanced test "
             "reports it and at the base rate, and its gain over an alarm that is always on.",
             {column: "{:.2f}" for column in precision} | {"precision, base rate": "{:.3f}"})
for name, key in names.items():
    report.glue(f"{key}-balanced-percent", 100 * precision["precision, balanced"][name], "{:.0f}")
    report.glue(f"{key}-precision-percent", 100 * precision["precision, base rate"][name], "{:.0f}")

# %% [markdown]
# In the planted world, where the signal is real, a balanced test would report a precision of
# {glue:text}`planted-balanced-percent` %. At the base rate it is {glue:text}`planted-precision-percent` %, in the null
# world {glue:text}`null-precision-percent` %, and {glue:text}`base-rate-percent:.0f` % for the alarm that is always
# on. Part of the false alarms of the planted world comes from smaller earthquakes: they carry a weaker signal
# of the same kind, and do not count here.
#
# ## What a warning for the whole network means
# Let the network warn as soon as one station does, and count a success if an M ≥ 5 comes anywhere.

# %%
shaken = (counts["network, M ≥ 5"][:, 0] > 0)[happened.index.isin(judged.index)]
national = pd.DataFrame({name: {"weeks with a warning": on.any(axis=1).mean(),
                                "right, M ≥ 5 anywhere": shaken[on.any(axis=1)].mean(),
                                "right, at the warning station": (on & judged).any(axis=1)[on.any(axis=1)].mean()}
                         for name, on in alarmed.items()}).T
report.table(national.rename_axis("alarm"), "alarm-network",
             "Warnings of the whole network, one a week: how often there is one, how often an M ≥ 5 follows "
             "anywhere, and how often within reach of a station that warned.", {c: "{:.3f}" for c in national})

# %%
for name, key in (names | {"always": "always"}).items():
    report.glue(f"network-{key}-percent", 100 * national["right, M ≥ 5 anywhere"][name], "{:.0f}")
here = 100 * national["right, at the warning station"]
report.glue("network-null-here-percent", here["magnetic, null world"], "{:.0f}")
report.glue("network-always-here-percent", here["always"], "{:.0f}")

# %% [markdown]
# In the judged weeks the warning of the null world is right {glue:text}`network-null-percent` % of the time, that of the
# planted world {glue:text}`network-planted-percent` %, and the warning that never ends
# {glue:text}`network-always-percent` %. Such a success rate is the base rate of a large region. Asked for the place,
# the null world is right in {glue:text}`network-null-here-percent` % of its warnings, by chance alone; with all
# stations warning all the time it would be {glue:text}`network-always-here-percent` %.
#
# ## Save

# %%
report.save_results("09_alarms", {
    "sample_size": needed.to_dict("index"), "base_rate": base_rates.to_dict(), "scales": scales.to_dict("index"),
    "skill": board.to_dict("records"), "sets": rows, "precision": precision.to_dict("index"),
    "network": national.to_dict("index")})

# %% [markdown]
# ## Take-away
# - Precision belongs to a base rate. A detector that looks reliable on balanced windows is far less so at the rate
#   of one station; every table of alarms needs its always-alarm row.
# - Skill belongs to a reference. Only what beats a *clustered* reference on declustered targets can be more than
#   the memory of earlier earthquakes.
# - A warning without a place is nearly always right, and says nothing.
#
# ## Exercises
# **1. More or fewer alarms.** `make run NB=09_alarms P="-p profile smoke -p share 0.3" OUT=out.ipynb` puts three
# times as many weeks under alarm. What happens to precision and to the share of earthquakes that are hit, and which
# of the two would a newspaper print?
#
# **2. The memory of earthquakes.** Why does the list of recent earthquakes lose its skill under the clustered
# reference? Name another alarm that would look skilful for the same reason.
#
# **3. Design the test.** You may watch one station for five years. From the base rate above, how many target
# earthquakes will you have, and what is the smallest skill that could be told from chance?
