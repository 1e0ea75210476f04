# %% [markdown]
# (nb-mcc)=
# # What is behind a Matthews correlation of 0.97?
#
# :::{glance}
# You learn
# : how to compute a Matthews correlation from counts, and what a rule without knowledge scores on uneven classes
#
# You need
# : no other chapter; the word {term}`MCC`
# :::
#
# **In short.** The printed hits for magnitude add up to {glue:text}`magnitude-hits` of 1972. A rule that only
# separates quiet from event and then always answers "Medium" has {glue:text}`magnitude-rule-hits`: the totals are
# numerically equal, and the rule's exact correlation is {glue:text}`magnitude-rule-mcc:.3f`. For azimuth it is
# {glue:text}`azimuth-hits` against {glue:text}`azimuth-rule-hits`. The correlation printed as *estimated* is a
# function of the accuracy and the number of classes alone; for magnitude the formula gives
# {glue:text}`magnitude-estimate:.3f`, which no correlation can be.
#
# The printed accuracies come with an *estimated* Matthews correlation. We compute the exact one from counts.
# A rule that only tells quiet from event, and then always names the commonest class, reaches nearly the same
# values: on imbalanced classes neither accuracy nor correlation alone shows that a class was learned.
#
# ## Overview
# **Question.** What do the printed scores say about magnitude and azimuth?
# **Input.** Class counts and fold scores as printed; no data, no network.
# **Output.** `results/<profile>/04_mcc_analysis.json`.

# %% tags=["parameters"]
profile = "light"  # type: str  # smoke | light | full (this page is the same in all three)

# %%
import numpy as np
import pandas as pd

from lib import intervals, metrics, printed, report

report.begin("04_mcc_analysis", profile)

# %% [markdown]
# ## What was printed
# Seed 000 prints accuracies of 97.53 % for magnitude (four classes) and 69.30 % for azimuth (nine classes),
# each the unweighted mean of ten folds. The percentages of every fold are whole numbers of images, so the
# counts behind them can be recovered.

# %%
folds = printed.convnext_folds()
hits = {target: (folds.n_test * folds[target] / 100).round().astype(int) for target in ("magnitude", "azimuth")}
spread = {target: intervals.fold_spread(100 * found / folds.n_test) for target, found in hits.items()}
summary = pd.DataFrame(spread).T
summary["hits"] = [found.sum() for found in hits.values()]
summary["images"] = folds.n_test.sum()
summary["pooled_percent"] = 100 * summary.hits / summary.images
report.table(summary.rename_axis("target"), "folds", "Ten published folds: mean, both standard deviations and pooled hits.")

# %%
for target in ("magnitude", "azimuth"):
    report.glue(f"{target}-hits", int(summary.hits[target]))
    report.glue(f"{target}-pooled-percent", float(summary.pooled_percent[target]))
    report.glue(f"{target}-sd-ddof0", float(summary.sd_ddof0[target]))

# %% [markdown]
# The printed spreads, 0.96 and 5.74, are standard deviations with `ddof = 0` over the folds. They describe how
# folds differ; they are not confidence intervals, because the folds share their training images and because
# four images are augmented copies of one window.
#
# ## Two rules that learn nothing about magnitude or direction
# *Majority* always answers the commonest class. *Quiet or commonest* is right about quiet windows and answers
# Medium, or north, for every other. The printed class counts fix the confusion matrix of both.

# %%
targets = {target: list(counts) for target, counts in printed.CONVNEXT_IMAGES.items()}
truth = {target: np.repeat(np.arange(len(names)), list(printed.CONVNEXT_IMAGES[target].values()))
         for target, names in targets.items()}
commonest = {target: np.bincount(y[y > 0]).argmax() for target, y in truth.items()}
rules = {}
for target, y in truth.items():
    k = len(targets[target])
    rules[target, "majority"] = metrics.confusion(y, np.full_like(y, np.bincount(y).argmax()), k)
    rules[target, "quiet or commonest"] = metrics.confusion(y, np.where(y == 0, 0, commonest[target]), k)

# %%
table = pd.DataFrame({f"{target}: {rule}": metrics.scores(matrix) for (target, rule), matrix in rules.items()}).T
report.table(table.rename_axis("rule"), "rules", "Scores of two rules on the printed class counts (1972 images).")

# %%
for target, key in (("magnitude", "magnitude"), ("azimuth", "azimuth")):
    matrix = rules[target, "quiet or commonest"]
    report.glue(f"{key}-rule-hits", int(np.trace(matrix)))
    report.glue(f"{key}-rule-mcc", float(metrics.mcc(matrix)))
    report.glue(f"{key}-rule-balanced", float(metrics.balanced_accuracy(matrix)))

# %% [markdown]
# The second rule has {glue:text}`magnitude-rule-hits` hits in magnitude against the published
# {glue:text}`magnitude-hits`, and {glue:text}`azimuth-rule-hits` in azimuth against
# {glue:text}`azimuth-hits`. The totals are numerically equal, or almost: this does not prove that the networks
# behave like the rule. Confusion matrices or predictions would settle it.
#
# ## The estimate and the exact value
# The printed correlation follows from accuracy and the number of classes $K$ alone,
# $\widehat{\mathrm{MCC}} = \frac{a - 1/K}{1 - 1/K}\sqrt{K/(K-1)}$, as if all classes were equally frequent.
# The exact multi-class correlation $R_K$ {cite:p}`gorodkin2004` needs the confusion matrix.

# %%
estimate = pd.DataFrame({
    target: {"printed accuracy": value["accuracy"], "printed MCC": value["mcc"],
             "estimate": metrics.estimated_mcc(value["accuracy"], len(targets[target])),
             "exact, quiet or commonest": float(metrics.mcc(rules[target, "quiet or commonest"])),
             "exact, majority": float(metrics.mcc(rules[target, "majority"]))}
    for target, value in printed.CONVNEXT_HEADLINE.items()}).T
report.table(estimate.rename_axis("target"), "estimate", "The estimate behind the printed correlation, and exact values of two rules.")

# %%
report.glue("magnitude-estimate", float(estimate.estimate["magnitude"]))
report.glue("azimuth-estimate", float(estimate.estimate["azimuth"]))

# %% [markdown]
# For four classes the estimate gives {glue:text}`magnitude-estimate:.3f`: more than the largest value a
# correlation can take. For nine it gives {glue:text}`azimuth-estimate:.3f`, close to the printed 0.69.
#
# ## What each metric does when quiet windows dominate
# We let the share of quiet images grow and keep the rule *quiet or commonest* for magnitude. It never names a
# rare class, whatever the share.

# %%
shares = np.linspace(0.0, 0.95, 40)
events = np.array([printed.CONVNEXT_IMAGES["magnitude"][name] for name in targets["magnitude"]], float)
matrices = np.zeros((len(shares), 4, 4))
matrices[:, 0, 0] = shares
matrices[:, 1:, 2] = (1 - shares)[:, None] * events[1:] / events[1:].sum()
curves = {"accuracy": metrics.accuracy(matrices), "MCC": metrics.mcc(matrices),
          "kappa": metrics.kappa(matrices), "balanced accuracy": metrics.balanced_accuracy(matrices),
          "macro F1": metrics.f1(matrices)}

# %%
fig = report.plot_lines(shares, curves, "share of quiet images", "score of the rule")
report.figure(fig, "imbalance",
              caption="Scores of a rule that separates quiet from event and then always answers Medium, as the "
                      "share of quiet images grows. With no quiet image it is the majority rule.",
              alt="Line plot: accuracy and MCC rise towards one with the share of quiet images, balanced accuracy "
                  "and macro F1 stay near one half.")

# %% [markdown]
# Accuracy, correlation and kappa rise towards one as quiet images are added, although nothing about magnitude
# was learned. Balanced accuracy and macro F1 stay near one half: they count the classes never named.
#
# ## Where skill in magnitude would show
# Among event images alone, the rule is the majority rule: its correlation is zero by construction.

# %%
within = pd.DataFrame({
    target: {"event images": int((y > 0).sum()),
             "commonest class": targets[target][commonest[target]],
             "its share": float((y[y > 0] == commonest[target]).mean()),
             "images of rarer classes": int(((y > 0) & (y != commonest[target])).sum())}
    for target, y in truth.items()}).T
report.table(within.rename_axis("target"), "within", "The event images alone: what is left to be learned.")

# %%
rare = printed.CONVNEXT_IMAGES["magnitude"]["Large"] // 4    # one window and three augmented copies (R2)
limit = intervals.clopper_pearson(0, rare, "window")
report.glue("large-windows", rare)
report.glue("large-recall-upper", 100 * limit.high)

# %% [markdown]
# Large earthquakes are represented by {glue:text}`large-windows` independent windows. Even if none of them was
# recognised, the 95 % interval of the recall would reach up to {glue:text}`large-recall-upper:.0f` %.
#
# ## Save

# %%
report.save_results("04_mcc_analysis", {
    "folds": summary.to_dict("index"), "rules": table.to_dict("index"), "estimate": estimate.to_dict("index"),
    "within": within.to_dict("index")})

# %% [markdown]
# ## Take-away
# - The printed correlation is a function of the accuracy, not of a confusion matrix, and can exceed one.
# - A rule that only separates quiet from event has the published number of hits in magnitude, and nearly so in
#   azimuth. Predictions or confusion matrices would show whether the networks know more.
# - A score over all classes needs its majority row, its balanced accuracy and the score within events beside it.
#
# ## Exercises
# **1. Your own table.** Take the class counts of any study you know and compute the accuracy and the Matthews
# correlation of the rule *quiet or event, then the commonest class* with `lib.metrics.confusion` and
# `lib.metrics.mcc`. How far is the study above it?
#
# **2. Make the rule look bad.** Which class counts, with the same 1972 images, would bring the rule's accuracy down
# to 70 %? What does that say about accuracies of studies with different catalogues?
#
# **3. What would settle it?** Write down the smallest table that the authors of a study could publish and that
# would decide whether its network knows magnitude.
