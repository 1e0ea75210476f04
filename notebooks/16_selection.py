# %% [markdown]
# (nb-selection)=
# # What does choosing on the test set add?
#
# :::{glance}
# You learn
# : what the best epoch, the best seed and the best model add to a score, and how many earthquakes a claim needs
#
# You need
# : {numref}`Chapter %s <nb-lab>`; the word {term}`inner split`
# :::
#
# **In short.** Some hundredths, without breaking any protocol. Over {glue:text}`selection-worlds` worlds with
# nothing to find, choosing epoch and seed on the test part adds {glue:text}`added-convnext-both:+.3f` to the
# accuracy of the network, and over {glue:text}`selection-simple-worlds` worlds
# {glue:text}`added-logistic-both:+.3f` to that of a logistic regression and {glue:text}`added-forest-both:+.3f` to
# that of a forest; the bound for as many independent looks is {glue:text}`bound-both:.3f`. Telling 60 % from one
# half takes {glue:text}`needed-60` earthquakes.
#
# The best epoch on the test fold, the best of ten seeds, the best of several models: each choice is a look at the
# answer. What the looks add is measured on worlds with nothing to find, beside the formula that bounds it. Then the
# small network joins the evidence lab, and its probabilities and its lead over simple models are put to the test.
#
# ## Overview
# **Question.** How much of a score is choice, are stated probabilities true, and when is one model better than
# another? **Input.** Seeds; no data. **Output.** `results/<profile>/16_selection.json`.

# %% tags=["parameters"]
profile = "light"  # type: str  # smoke | light | full
worlds = 0         # type: int  # null worlds of the network; 0 keeps the profile's number
snr = 0.5          # type: float  # planted amplitude of the forecasts, in units of the world's sigma0
workers = 2        # type: int  # worlds computed at the same time

# %%
# inputs: full
import pandas as pd
from scipy import stats

from lib import comparison, forecast_tests, network_experiments, network_scores, report, train
from lib.network_experiments import NetworkJob

report.begin("16_selection", profile)
n_network = worlds or {"smoke": 2, "light": 3, "full": 20}[profile]
n_simple = {"smoke": 2, "light": 5, "full": 100}[profile]
size = {"smoke": {"n_windows": 60, "folds": 2, "epochs": 2, "size": (32, 32), "bootstrap": 100},
        "light": {"n_windows": 120, "folds": 2, "epochs": 8}, "full": {"n_windows": 240, "folds": 5, "epochs": 15}}[profile]
looks = {"smoke": 2, "light": 3, "full": 10}[profile]
executor = train.pool(workers) if profile != "smoke" else None

# %% [markdown]
# ## Before any result: how many earthquakes it takes
# With independent earthquakes, one-sided at 5 % with power 80 %. Below: the miss rate that no missed earthquake at
# all leaves possible.

# %%
needed = forecast_tests.sample_size_table()
report.table(needed.set_index("hit_rate").rename_axis("true accuracy"), "sample-size",
             "Earthquakes needed to tell a true accuracy from one half.")
limits = pd.DataFrame({"largest miss rate": {str(n): forecast_tests.miss_rate_limit(n) for n in (8, 28, 100, 300)}})
report.table(limits.rename_axis("earthquakes, none missed"), "zero-misses",
             "Upper 95 % limit of the miss rate after no miss.", {"largest miss rate": "{:.3f}"})

# %%
report.glue("needed-60", forecast_tests.events_needed(0.60))
report.glue("needed-55", forecast_tests.events_needed(0.55))
report.glue("miss-28", float(limits["largest miss rate"]["28"]))

# %% [markdown]
# To tell 60 % from one half takes {glue:text}`needed-60` earthquakes, 55 % {glue:text}`needed-55`. A detector that
# missed none of 28 may still miss {glue:text}`miss-28:.2f` of all.
#
# ## What looking adds
# Every seed is fitted twice on the same rows of a world without a precursor. *Nested*: the epoch is chosen on an
# inner split of the training earthquakes. *Test epoch*: on the test part of each fold. The network is judged there by
# its loss, as early stopping on a test fold does; the simple models by their accuracy, after each pass of the
# logistic regression, or each tenth of the forest's trees. *Best seed* reports the best of the nested seeds, *both*
# the best seed of the best test epochs. The formula is the mean of the largest of so many independent looks,
# $c_E\sqrt{p(1-p)/n_\mathrm{eff}}$ at $p = 1/2$; looks are correlated, so that it is an upper bound.

# %% tags=["show"]
few = {"task": "selection", "looks": looks}
jobs = [NetworkJob(**few | size, models=("convnext",), seed=7000 + i) for i in range(n_network)]
more = few | size | {"looks": 10, "epochs": 10} if profile != "smoke" else few | size
jobs += [NetworkJob(**more, models=("logistic", "forest"), seed=7000 + i) for i in range(n_simple)]
chosen = network_experiments.run_jobs(jobs, executor)

# %%
rules = ["nested", "test epoch", "best seed", "both"]
by = chosen.groupby(["model", "rule"])
added = by.agg(accuracy=("accuracy", "mean"), optimism=("optimism", "mean"), sd=("optimism", "std"),
               bound=("bound", "mean"), looks=("looks", "first"), n_worlds=("seed", "nunique"))
half = stats.t.ppf(0.975, (added.n_worlds - 1).clip(lower=1)) * added.sd.fillna(0) / added.n_worlds**0.5
added["low"], added["high"] = added.optimism - half, added.optimism + half
added = added.loc[[(m, r) for m in ("convnext", "logistic", "forest") for r in rules]].drop(columns="sd")
shown = added[["accuracy", "optimism", "low", "high", "bound", "looks", "n_worlds"]].copy()
shown.index = [f"{model}, {rule}" for model, rule in shown.index]
report.table(shown.rename(columns={"n_worlds": "worlds"}).rename_axis("model and rule"), "selection",
             "Accuracy of detection in null worlds, what the choice adds with its 95 % interval over worlds, and the "
             "bound of the formula.", {name: "{:+.3f}" for name in ("optimism", "low", "high")} | {"bound": "{:.3f}"})

# %%
pairs = [(m, r) for m in ("convnext", "logistic", "forest") for r in rules[1:]]
fig = report.plot_bars({f"{m}, {r}": float(added.optimism[m, r]) for m, r in pairs},
                       "accuracy added by choosing, nothing to find",
                       {f"{m}, {r}": float(added.bound[m, r]) for m, r in pairs},
                       ("added in null worlds", "bound for independent looks"))
report.figure(fig, "selection-optimism",
              caption="What choosing on the test part adds to the accuracy in null worlds (bars and numbers); marks "
                      "are the upper bound of the formula for as many independent looks.",
              alt="Bar chart of the accuracy added by three rules for three models, with a mark for the bound of each.")

# %%
for model, rule in pairs:
    report.glue(f"added-{model}-{rule.replace(' ', '-')}", float(added.optimism[model, rule]))
report.glue("selection-worlds", int(added.n_worlds["convnext", "nested"]))
report.glue("selection-simple-worlds", int(added.n_worlds["forest", "nested"]))
report.glue("bound-both", float(added.bound["forest", "both"]))
report.glue("nested-network", float(added.accuracy["convnext", "nested"]))
report.glue("s3-bound", comparison.selection_optimism(0.635, 472, 10))

# %% [markdown]
# Over {glue:text}`selection-worlds` null worlds the nested network scores {glue:text}`nested-network:.2f`. The epoch
# chosen by the test loss adds {glue:text}`added-convnext-test-epoch:+.3f`, the best seed
# {glue:text}`added-convnext-best-seed:+.3f`, both {glue:text}`added-convnext-both:+.3f`. Over
# {glue:text}`selection-simple-worlds` worlds both choices add {glue:text}`added-logistic-both:+.3f` to the logistic
# regression and {glue:text}`added-forest-both:+.3f` to the forest, where independent looks would add
# {glue:text}`bound-both:.3f`. For the printed best of ten runs on 472 windows the bound is
# {glue:text}`s3-bound:.3f`.
#
# ## The network in the evidence lab
# {numref}`Chapter %s <nb-lab>` scores simple models on null worlds. Here is the light ConvNeXt in the same cells,
# with the same folds for all: magnitude class, nothing planted.

# %% tags=["show"]
grid_size = size | {"smoke": {"n_windows": 120}, "light": {"n_windows": 240},
                    "full": {"n_windows": 492, "folds": 5}}[profile]
jobs = [NetworkJob(**grid_size, models=("convnext", "logistic", "forest"), design=design, target="magnitude",
                   seed=8000 + i, protocols=("P0", "P1", "P2"))
        for i in range(1 if profile != "full" else 20) for design in ("published_ulf", "fair_ulf")]
grid = network_experiments.run_jobs(jobs, executor)

# %%
columns = ["convnext", "logistic", "forest", "majority", "lookup_station", "time_adjacency"]
cells = grid.groupby(["design", "protocol", "model"]).agg(
    accuracy=("accuracy", "mean"), mcc=("mcc", "mean"), low=("low", "mean"), high=("high", "mean"),
    n_worlds=("seed", "nunique"))
wide = cells.accuracy.unstack("model")[columns].sort_index(ascending=[False, True])
wide.index = [f"{design}, {protocol}" for design, protocol in wide.index]
report.table(wide.rename_axis("design and protocol"), "network-grid",
             "Accuracy of magnitude class without any signal. Network, simple models, then floors.",
             {name: "{:.2f}" for name in columns})

# %%
network = cells.xs("convnext", level="model").sort_index(ascending=[False, True])[["mcc", "low", "high"]]
network.index = [f"{design}, {protocol}" for design, protocol in network.index]
report.table(network.rename_axis("design and protocol"), "network-grid-mcc", "The network's Matthews correlation with "
             "its interval over earthquakes (mean over worlds).", {name: "{:.2f}" for name in network})

# %%
held = grid[grid.model == "convnext"].drop_duplicates(["design", "protocol"]).set_index(["design", "protocol"])
links = pd.DataFrame({f"{d}, {p}": held.certificate[d, p] for d, p in held.index}).T.rename_axis("design and protocol")
report.table(links, "network-links", "Linked pairs of training and test windows in the first world.",
             {kind: "{:,}" for kind in links})
for name, key in {"p0": ("published_ulf", "P0"), "p2": ("published_ulf", "P2"), "fair": ("fair_ulf", "P2")}.items():
    report.glue(f"grid-network-{name}", float(cells.accuracy[(*key, "convnext")]))
    report.glue(f"grid-forest-{name}", float(cells.accuracy[(*key, "forest")]))
report.glue("grid-station", float(cells.accuracy["published_ulf", "P0", "lookup_station"]))

# %% [markdown]
# On the published design under random folds the network scores {glue:text}`grid-network-p0:.2f`, the forest
# {glue:text}`grid-forest-p0:.2f` and naming the station {glue:text}`grid-station:.2f`; held out by event they score
# {glue:text}`grid-network-p2:.2f` and {glue:text}`grid-forest-p2:.2f`. On the fair design, by event, it is
# {glue:text}`grid-network-fair:.2f` and {glue:text}`grid-forest-fair:.2f`. All models weigh the classes
# equally, so that without a signal they may fall below the majority; their correlation is the measure. Copies and
# stations are as open to a network as to a forest.
#
# ## Are the probabilities true?
# In worlds with a weak planted signal every window gets a probability from each of four models, held out by event. A
# temperature is fitted on the inner split of each training part, never on the test part.

# %% tags=["show"]
planted = size | {"folds": {"smoke": 2, "light": 4, "full": 5}[profile]} | ({"n_windows": 160} if profile == "light" else {})
together = [("convnext",), ("efficientnet",), ("logistic", "forest")]
jobs = [NetworkJob(**planted, task="forecast", models=models, seed=9000 + i, snr=snr)
        for models in together for i in range(1 if profile != "full" else 5)]
forecasts = network_experiments.run_jobs(jobs, executor)
if executor:
    executor.shutdown()

# %%
calibrated = network_scores.calibration_table(forecasts)
report.table(calibrated.rename(columns=lambda name: name.replace("_", " ")), "calibration",
             "Calibration of out-of-fold probabilities under P2: expected calibration error in bins of equal width and "
             "of equal mass, Brier score, its skill above the base rate, log-loss in nats, mean temperature.",
             {name.replace("_", " "): "{:.3f}" for name in calibrated})

# %%
fig = report.plot_reliability(network_scores.reliabilities(forecasts, seed=9000))
report.figure(fig, "reliability",
              caption="Observed share of event windows against the stated probability, in bins of equal mass; bars are "
                      "95 % bands from resampling earthquakes with their quiet windows.",
              alt="Four panels, one a model: points with wide bands about the diagonal, most of them rising.")

# %%
worst = calibrated[~calibrated.index.str.contains("scaled")]
report.glue("calibration-windows", int(forecasts.window_id.nunique()))
report.glue("calibration-events", int(forecasts.unit.nunique()))
report.glue("ece-network", float(calibrated.ece["convnext"]))
report.glue("ece-network-scaled", float(calibrated.ece["convnext, scaled"]))
report.glue("temperature-network", float(calibrated.temperature["convnext, scaled"]))
report.glue("brier-best", worst.brier_skill.idxmax())
report.glue("brier-best-skill", float(worst.brier_skill.max()))
report.glue("brier-network", float(worst.brier_skill["convnext"]))

# %% [markdown]
# With {glue:text}`calibration-windows` windows of {glue:text}`calibration-events` earthquakes the bands are wide. The
# network's calibration error is {glue:text}`ece-network:.2f`, after a mean temperature of
# {glue:text}`temperature-network:.2f` it is {glue:text}`ece-network-scaled:.2f`; a finite sample makes an error above
# zero even for a perfect forecaster. An inner split of few windows fixes a temperature poorly: where a model shows no
# skill on it, the forecasts become nearly flat, and scaling can harm. The largest Brier skill, {glue:text}`brier-best-skill:.2f`, is that of
# *{glue:text}`brier-best`*; the network has {glue:text}`brier-network:.2f`.
#
# ## Is one model better than another?
# Every pair of models on the same windows, three ways. The sign flip exchanges two models on whole earthquakes with
# their quiet windows. McNemar's test counts earthquakes, told apart from their own quiet windows by one model only. The
# corrected t compares fold by fold and allows for shared training data. Holm's adjustment of the sign-flip p counts all
# comparisons that were made.

# %%
pairs = network_scores.compare(forecasts, seed=9000)
names = {"difference": "accuracy difference", "sign_flip_p": "p (sign flip)", "only_a": "only first",
         "only_b": "only second", "mcnemar_p": "p (McNemar)", "mcnemar_mid_p": "mid-p", "resampled_t_p": "p (corrected t)",
         "naive_t_p": "p (naive t)", "holm_p": "p (Holm)"}
report.table(pairs[list(names)].rename(columns=names), "pairs", "Six comparisons of four models on the same windows.",
             {"accuracy difference": "{:+.3f}"} | {v: "{:.3f}" for k, v in names.items() if k.endswith("_p")})

# %%
report.glue("pairs-tried", len(pairs))
report.glue("pairs-plain", int((pairs.sign_flip_p <= 0.05).sum()))
report.glue("pairs-holm", int((pairs.holm_p <= 0.05).sum()))
report.glue("pairs-naive", int((pairs.naive_t_p <= 0.05).sum()))
report.glue("pairs-corrected", int((pairs.resampled_t_p <= 0.05).sum()))

# %% [markdown]
# Of {glue:text}`pairs-tried` comparisons, {glue:text}`pairs-plain` have a sign-flip p at or below 0.05 and
# {glue:text}`pairs-holm` after Holm's adjustment; the uncorrected t would call {glue:text}`pairs-naive` pairs
# different, the corrected one {glue:text}`pairs-corrected`. The models and their settings were fixed beforehand; whoever
# tries more has to count more.
#
# ## The full profile

# %%
full = report.load_results("16_selection", "full", required=False) if profile != "full" else None
said = ("No run of the full profile (20 null worlds of the network with ten seeds each, 100 of the simple models) is "
        "committed.")
if full:
    best = pd.DataFrame(full["selection"]).set_index(["model", "rule"])
    best.index = [f"{model}, {rule}" for model, rule in best.index]
    report.table(best[["optimism", "low", "high", "bound", "looks", "n_worlds"]].rename_axis("model and rule"),
                 "selection-full", "What choosing adds in null worlds, committed full run.",
                 {name: "{:+.3f}" for name in ("optimism", "low", "high")} | {"bound": "{:.3f}"})
    both = best.loc["convnext, both"]
    said = (f"Over {int(both.n_worlds)} worlds of the committed full run, choosing epoch and seed of the network on the "
            f"test part adds {both.optimism:+.3f} to its accuracy.")
report.glue("selection-full", said)

# %% [markdown]
# {glue:text}`selection-full`
#
# ## Save

# %%
report.save_results("16_selection", {
    "selection": added.reset_index().to_dict("records"), "grid": cells.reset_index().to_dict("records"), "certificates": links.to_dict("index"),
    "calibration": calibrated.to_dict("index"), "snr": snr,
    "pairs": pairs.astype(object).where(pairs.notna(), None).to_dict("index")})

# %% [markdown]
# ## Take-away
# - Choosing on the test part adds some hundredths of accuracy where there is nothing to find, with no protocol broken.
# - The cure costs nothing: choose inside the training earthquakes and look once.
# - A calibrated probability, and a lead that survives counting all comparisons, take more earthquakes than most studies
#   have.
#
# ## Exercises
# **1. Count your looks.** For a study of your own, list every choice that was made after a score on the test part
# had been seen. What does `lib.comparison.expected_maximum` give for so many?
#
# **2. Ten seeds.** A paper reports the best of ten seeds and the mean of ten. Which of the two belongs into an
# abstract, and what belongs next to it?
#
# **3. Promise beforehand.** Write the three lines of a protocol that would make choosing on the test part
# impossible in your own work, and say who could check that you kept them.
