# %% [markdown]
# (nb-power)=
# # How strong would a precursor have to be to be found?
#
# :::{glance}
# You learn
# : how strong a source has to be for a design to find it, and how to say so in nanotesla
#
# You need
# : {numref}`Chapter %s <nb-lab>`
# :::
#
# **In short.** From an amplitude of {glue:text}`full-oracle-snr` $\sigma_0$ on, {glue:text}`full-oracle-nt` nT at
# magnitude 6, a detector that knows the band is significant in 95 % of {glue:text}`full-power-worlds` worlds
# (committed full run), and the power of the pipeline there is {glue:text}`full-pipeline-power`. That holds if every
# earthquake has a source. If the source fades with distance as in a published line, the accuracy at the largest
# amplitude is {glue:text}`power-top-law:.2f`, near one half: most windows before an earthquake then hold nothing.
#
# A null result is worth as much as the power behind it. The same design is scored on worlds with an ever stronger
# planted source, and the amplitude is translated into nanotesla. A second law lets the source fade with distance.
#
# ## Overview
# **Question.** At which amplitude does each protocol find what is there? **Input.** Seeds; no data.
# **Output.** `results/<profile>/08_power.json`.

# %% tags=["parameters"]
profile = "light"    # type: str  # smoke | light | full
worlds = 0           # type: int  # worlds at each amplitude; 0 keeps the profile's number
law = "hattori"      # type: str  # second amplitude law: hattori | dobrovolsky | physical
workers = 2          # type: int  # worlds computed at the same time
scheduler = ""       # type: str  # address of a dask scheduler, for example tcp://host:8786; else this machine

# %%
# inputs: full
import itertools

import numpy as np
import pandas as pd

from lib import config, experiments, forecast_tests, learning_curve, report, train
from lib.earth import precursor
from lib.real_power import amplitude_at

report.begin("08_power", profile)
n_worlds = worlds or {"smoke": 1, "light": 3, "full": 20}[profile]
n_windows, refits = {"smoke": (48, 19), "light": (120, 19), "full": (240, 99)}[profile]
steps = [0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.0]
amplitudes = {"flat": [0.0, 0.5, 2.0] if profile == "smoke" else steps, law: steps if profile == "full" else [0.0, 2.0]}
sigma0_nt = precursor.Shape().sigma0_nt

# %% [markdown]
# ## How many earthquakes a result needs
# Before any result: with independent earthquakes, so many are needed to tell an accuracy from one half, one-sided
# at 5 % with power 80 %.

# %%
needed = pd.DataFrame({"events needed": {f"{share:.2f}": forecast_tests.events_needed(share)
                                         for share in (0.55, 0.60, 0.70, 0.80)}})
report.table(needed.rename_axis("true accuracy"), "events-needed", "Earthquakes needed, by true accuracy.")

# %% [markdown]
# ## Detection against amplitude
# Fair design, one-hour windows, logistic regression on the power of all bands. The *oracle* knows the planted band
# and is given its power and nothing else; it cannot see from the other bands how disturbed the hour was. Under the
# law `flat` every earthquake within 250 km has the same source; under `hattori` only those inside the published
# line .025 R < M - 4.5 have one.

# %%
protocols, models = ("P0", "P2", "P4", "P5"), ("logistic", "oracle")
jobs = [experiments.Job(seed=4000 + i, snr=snr, amplitude_law=name, n_windows=n_windows, protocols=protocols,
                        models=models, refits=refits)
        for name, values in amplitudes.items() for snr, i in itertools.product(values, range(n_worlds))]
executor = train.pool(workers, scheduler)
scored = experiments.run_jobs(jobs, executor)

# %%
cells = scored.groupby(["amplitude_law", "model", "protocol", "snr"])
curve = cells.agg(accuracy=("accuracy", "mean"), low=("accuracy", "min"), high=("accuracy", "max"),
                  power=("p", lambda p: float((p <= 0.05).mean())), n_worlds=("p", "size")).reset_index()
flat = curve[curve.amplitude_law == "flat"]
wide = flat[flat.model == "logistic"].pivot(index="snr", columns="protocol", values="accuracy")
wide["oracle, P2"] = flat[(flat.model == "oracle") & (flat.protocol == "P2")].set_index("snr").accuracy
wide.index = [f"{snr:g}" for snr in wide.index]
report.table(wide.rename_axis("snr"), "power-accuracy", "Accuracy of detection, mean over worlds, law flat.",
             {name: "{:.3f}" for name in wide})

# %%
p2 = {model: flat[(flat.model == model) & (flat.protocol == "P2")].sort_values("snr") for model in models}
series = {f"{model}, P2": rows.accuracy.to_numpy() for model, rows in p2.items()}
bands = {f"{model}, P2": (rows.low.to_numpy(), rows.high.to_numpy()) for model, rows in p2.items()}
fig = report.plot_lines(np.array(amplitudes["flat"]), series, "amplitude (units of $\\sigma_0$)", "accuracy of detection",
                        bands=bands)
report.figure(fig, "power", caption="Detection against planted amplitude when held out by event; shaded: range over "
                                    "worlds.",
              alt="Two curves that rise from about one half at amplitude zero as the source grows.")

# %%
top = curve[(curve.model == "logistic") & (curve.protocol == "P2") & (curve.snr == 2.0)].set_index("amplitude_law")
report.glue("power-top", float(top.accuracy["flat"]))
report.glue("power-top-law", float(top.accuracy[law]))
report.glue("power-gap", float(np.abs(wide["P0"] - wide["P2"]).max()))
report.glue("power-worlds", n_worlds)

# %% [markdown]
# At the largest amplitude the pipeline scores {glue:text}`power-top:.2f` under P2 if every earthquake has a source,
# and {glue:text}`power-top-law:.2f` under the second law, where most windows before an earthquake carry none. The
# largest difference between random folds and folds by event, over all amplitudes, is {glue:text}`power-gap:.2f`: an
# honest protocol does not hide a signal that is there.
#
# ## Power, and what it means in nanotesla
# p permutes event and quiet windows inside matched sets and fits the model again for every draw.

# %%
power = flat.pivot(index="snr", columns=["model", "protocol"], values="power")
found = power[power["oracle", "P2"] >= 0.95].index
reached = float(found.min()) if len(found) else None
share = float(power.loc[reached, ("logistic", "P2")]) if reached is not None else None
shown = power.loc[:, [("logistic", "P2"), ("logistic", "P5"), ("oracle", "P2")]].copy()
shown.columns = [f"{model}, {protocol}" for model, protocol in shown.columns]
shown["H and D at M 6 (nT)"] = [snr * sigma0_nt * 10 ** 0.25 for snr in shown.index]
shown.index = [f"{snr:g}" for snr in shown.index]
report.table(shown.rename_axis("snr"), "power-share", "Share of worlds with p at or below 0.05, and the amplitude in "
                                                      "nanotesla for magnitude 6 under the flat law.")

# %%
draws = scored[scored.model == "logistic"].rename(columns={"snr": "amplitude_nt"})
crossed = {f"{name}, {p}": amplitude_at(rows, 4000) for (name, p), rows in draws.groupby(["amplitude_law", "protocol"])
           if p in ("P2", "P5")}
eighty = pd.DataFrame(crossed).T[["nt", "low", "high"]].rename(columns={"nt": "snr at 80 %"}).astype(float)
eighty["nT at M 6, flat law"] = [snr * sigma0_nt * 10 ** 0.25 if name.startswith("flat") else None
                                 for name, snr in eighty["snr at 80 %"].items()]
report.table(eighty.rename_axis("law and protocol").round(3).astype(object).fillna("not reached"), "power-eighty",
             "Amplitude at which 80 % of the worlds are significant, with 95 % interval over worlds.")

# %%
report.glue("oracle-snr", "not reached in this run" if reached is None else f"{reached:g}")
report.glue("pipeline-power", "not defined in this run" if share is None else f"{share:.2f}")

# %% [markdown]
# The smallest amplitude at which the oracle is significant in 95 % of the worlds: {glue:text}`oracle-snr`. The
# pipeline's power there: {glue:text}`pipeline-power`.
#
# ## What more earthquakes would buy
# The same at one amplitude and growing numbers of windows; an inverse power law says how far the score would rise,
# or that the measured points do not allow to say so.

# %%
sizes = {"smoke": [24, 32, 40, 48], "light": [40, 80, 160, 320], "full": [60, 120, 240, 480, 960]}[profile]
grown = [experiments.Job(seed=4500 + i, snr=0.35, n_windows=n, bootstrap=100, permutations=19)
         for n, i in itertools.product(sizes, range(max(n_worlds, 3)))]
growth = experiments.run_jobs(grown, executor).pivot(index="seed", columns="n_windows", values="accuracy")
executor.shutdown()
law_of_n = learning_curve.fit_curve(np.array(sizes) / 2, growth.to_numpy(), config.rng(4500, "learning curve"))

# %%
report.table(growth.agg(["mean", "min", "max"]).T.rename_axis("windows"), "power-growth",
             "Accuracy under P2 at amplitude 0.35 against the number of windows: mean and range over worlds.",
             {name: "{:.3f}" for name in ("mean", "min", "max")})
report.glue("growth-first", float(growth.mean().iloc[0]))
report.glue("growth-last", float(growth.mean().iloc[-1]))
report.glue("growth-limit", f"a limit of {law_of_n.a:.2f}" if law_of_n.can_extrapolate else
            f"no limit can be given: {law_of_n.reason}")

# %% [markdown]
# The accuracy goes from {glue:text}`growth-first:.2f` to {glue:text}`growth-last:.2f`. Of the extrapolation:
# {glue:text}`growth-limit`.
#
# ## The committed full run

# %%
full = report.load_results("08_power", "full", required=False) if profile != "full" else None
best = pd.DataFrame(full["curve"] if full else curve.to_dict("records"))
source = "committed full run" if full else "this run; no full run is committed"
held_out = best[best.protocol == "P2"].pivot(index="snr", columns=["amplitude_law", "model"],
                                             values=["accuracy", "power"])
held_out.columns = [f"{name}, {model}, {value}" for value, name, model in held_out.columns]
held_out.index = [f"{snr:g}" for snr in held_out.index]
report.table(held_out.rename_axis("snr"), "power-full", f"Accuracy and share of significant worlds under P2, {source}.",
             {name: "{:.2f}" for name in held_out})

# %%
chosen = full or {"oracle_snr_at_95_percent": reached, "pipeline_power_there": share}
at, there = chosen["oracle_snr_at_95_percent"], chosen["pipeline_power_there"]
report.glue("full-oracle-snr", "not reached" if at is None else f"{at:g}")
report.glue("full-oracle-nt", "not reached" if at is None else f"{at * sigma0_nt * 10 ** 0.25:.3f}")
report.glue("full-pipeline-power", "not defined" if there is None else f"{there:.2f}")
report.glue("full-power-worlds", int(best.n_worlds.min()))

# %% [markdown]
# Over {glue:text}`full-power-worlds` worlds at each amplitude, the oracle is significant in 95 % of them from
# amplitude {glue:text}`full-oracle-snr` on ({glue:text}`full-oracle-nt` nT at magnitude 6); the pipeline's power
# there is {glue:text}`full-pipeline-power`. The pipeline sees the other bands too, and with them how disturbed the
# hour was.
#
# ## Save

# %%
report.save_results("08_power", {
    "curve": curve.to_dict("records"), "oracle_snr_at_95_percent": reached, "pipeline_power_there": share,
    "eighty_percent": crossed, "growth": {str(n): growth[n].tolist() for n in growth}, "sigma0_nt": sigma0_nt,
    "second_law": law})

# %% [markdown]
# ## Take-away
# - A null result needs its power curve beside it.
# - Protocols differ in what they report when nothing is there, far more than in what they find when something is.
# - If only the nearest and largest earthquakes have a source, most positive windows are empty and the score stays low
#   whatever the amplitude.
#
# ## Exercises
# **1. Another law.** `make run NB=08_power P="-p profile smoke -p law dobrovolsky" OUT=out.ipynb`. Why does the
# choice of the law matter more than the amplitude?
#
# **2. Translate it.** Take the amplitude at which 95 % are found and ask `lib.earth.stations.required_moment_am`
# for the current that would make it at 100 km. Is it a current that rock could carry?
#
# **3. Read a null result.** A study of 20 earthquakes finds nothing. Which curve of this page do you need to say
# what it has excluded, and which number would you print beside "nothing found"?
