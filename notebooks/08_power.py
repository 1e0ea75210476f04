# %% [markdown]
# (nb-power)=
# # How strong would a precursor have to be to be found?
#
# A null result is worth as much as the power behind it. The same design is scored on worlds with an ever stronger
# planted source, and the amplitude is translated into nanotesla.
#
# ## Overview
# **Question.** At which amplitude does each protocol find what is there? **Input.** Seeds; no data.
# **Output.** `results/<profile>/08_power.json`.

# %% tags=["parameters"]
profile = "light"       # type: str  # smoke | light | full
worlds = 0              # type: int  # worlds at each amplitude; 0 keeps the profile's number
amplitude_law = "flat"  # type: str  # flat | hattori | dobrovolsky | physical
workers = 2             # type: int  # worlds computed at the same time

# %%
import itertools

import numpy as np
import pandas as pd

from lib import experiments, forecast_tests, report, train
from lib.earth import precursor

report.begin("08_power", profile)
n_worlds = worlds or {"smoke": 1, "light": 3, "full": 20}[profile]
n_windows = {"smoke": 48, "light": 120, "full": 240}[profile]
amplitudes = [0.0, 0.5, 2.0] if profile == "smoke" else [0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.0]
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
# and is given its power and nothing else; it cannot see from the other bands how disturbed the hour was.

# %%
protocols, models = ("P0", "P2", "P4", "P5"), ("logistic", "oracle")
jobs = [experiments.Job(seed=4000 + i, snr=snr, amplitude_law=amplitude_law, n_windows=n_windows, protocols=protocols,
                        models=models) for snr, i in itertools.product(amplitudes, range(n_worlds))]
executor = train.pool(workers)
scored = experiments.run_jobs(jobs, executor)
executor.shutdown()

# %%
cells = scored.groupby(["model", "protocol", "snr"])
curve = cells.agg(accuracy=("accuracy", "mean"), low=("accuracy", "min"), high=("accuracy", "max"),
                  power=("p", lambda p: float((p <= 0.05).mean())), n_worlds=("p", "size")).reset_index()
wide = curve[curve.model == "logistic"].pivot(index="snr", columns="protocol", values="accuracy")
wide["oracle, P2"] = curve[(curve.model == "oracle") & (curve.protocol == "P2")].set_index("snr").accuracy
wide.index = [f"{snr:g}" for snr in wide.index]
report.table(wide.rename_axis("snr"), "power-accuracy", "Accuracy of detection, mean over worlds.",
             {name: "{:.3f}" for name in wide})

# %%
p2 = {model: curve[(curve.model == model) & (curve.protocol == "P2")].sort_values("snr") for model in models}
series = {f"{model}, P2": rows.accuracy.to_numpy() for model, rows in p2.items()}
bands = {f"{model}, P2": (rows.low.to_numpy(), rows.high.to_numpy()) for model, rows in p2.items()}
fig = report.plot_lines(np.array(amplitudes), series, "amplitude (units of sigma0)", "accuracy of detection", bands=bands)
report.figure(fig, "power", caption="Detection against planted amplitude when held out by event; shaded: range over "
                                    "worlds.",
              alt="Two curves that rise from about one half at amplitude zero as the source grows.")

# %%
last = wide.iloc[-1]
report.glue("power-top", float(last["P2"]))
report.glue("power-gap", float(np.abs(wide["P0"] - wide["P2"]).max()))
report.glue("power-worlds", n_worlds)

# %% [markdown]
# At the largest amplitude the pipeline scores {glue:text}`power-top:.2f` under P2. The largest difference between
# random folds and folds by event, over all amplitudes, is {glue:text}`power-gap:.2f`: an honest protocol does not
# hide a signal that is there.
#
# ## Power, and what it means in nanotesla

# %%
power = curve.pivot(index="snr", columns=["model", "protocol"], values="power")
found = power[power["oracle", "P2"] >= 0.95].index
reached = float(found.min()) if len(found) else None
share = float(power.loc[reached, ("logistic", "P2")]) if reached is not None else None
shown = power.xs("P2", axis=1, level="protocol").rename(columns=lambda name: f"{name}, P2")
shown["H and D amplitude at M 6 (nT)"] = [snr * sigma0_nt * 10 ** 0.25 for snr in shown.index]
shown.index = [f"{snr:g}" for snr in shown.index]
report.table(shown.rename_axis("snr"), "power-share", "Share of worlds with p at or below 0.05, and the amplitude in "
                                                      "nanotesla for magnitude 6 under the flat law.")

# %%
report.glue("oracle-snr", "not reached in this run" if reached is None else f"{reached:g}")
report.glue("pipeline-power", "not defined in this run" if share is None else f"{share:.2f}")

# %% [markdown]
# The smallest amplitude at which the oracle is significant in 95 % of the worlds: {glue:text}`oracle-snr`. The
# pipeline's power there: {glue:text}`pipeline-power`.
#
# ## The committed full run

# %%
full = report.load_results("08_power", "full", required=False) if profile != "full" else None
best = pd.DataFrame(full["curve"] if full else curve.to_dict("records"))
source = "committed full run" if full else "this run; no full run is committed"
held_out = best[best.protocol == "P2"].pivot(index="snr", columns="model", values=["accuracy", "power"])
held_out.columns = [f"{model}, {value}" for value, model in held_out.columns]
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
    "sigma0_nt": sigma0_nt, "amplitude_law": amplitude_law})

# %% [markdown]
# ## Take-away
# - A null result needs its power curve beside it.
# - Protocols differ in what they report when nothing is there, far more than in what they find when something is.
