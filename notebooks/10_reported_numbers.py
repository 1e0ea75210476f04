# %% [markdown]
# (nb-reported)=
# # What do the printed numbers of four studies say without their data?
#
# :::{glance}
# You learn
# : how to recover counts, folds and test sizes from printed percentages, and what chance and simple rules would
#   have printed
#
# You need
# : {numref}`Chapter %s <nb-mcc>`; no data
# :::
#
# **In short.** More than one might expect. All {glue:text}`folds-all-unique` printed fold percentages of `convnext`
# have exactly one numerator; its {glue:text}`magnitude-hits` hits for magnitude are those of a rule that knows no
# magnitude. The recall and precision of `crnn` fit {glue:text}`crnn-tp` true and {glue:text}`crnn-fp` false alarms.
# The 27 accuracies of `tec` fit a test part of {glue:text}`tec-size`, and its best of ten is near what ten looks
# give. The two accuracies of `observatory` are the shares of one class, as its authors say. None of this shows what
# a network learned; predictions would.
#
# A printed percentage is a whole number of cases divided by another. From the tables of four studies we recover
# counts, folds, test sizes and confusion matrices, and ask what simple rules and chance would have printed.
#
# ## Overview
# **Question.** Which counts are behind the printed numbers, and what else would give the same?
# **Input.** The numbers as printed, with their source lines (`lib/printed.py`); no data, no network.
# **Output.** `results/<profile>/10_reported_numbers.json`. The same checks run on any table from a shell:
# `python -m lib.forensics --help`.
#
# A number that fits proves nothing, and a number that fits nothing does not say why. Each section therefore ends
# with what would settle it. The raw data of the studies are not public.

# %% tags=["parameters"]
profile = "light"  # type: str  # smoke | light | full (this page is the same in all three)

# %%
import numpy as np
import pandas as pd

from lib import comparison, config, forensics, intervals, metrics, printed, report

report.begin("10_reported_numbers", profile)

# %% [markdown]
# ## Study `convnext`: ten folds of 1972 images
# Seeds 000 and 001 print means of ten folds; the public repositories behind them hold the folds
# {cite:p}`convnext2026`. With two networks and two targets, {glue:text}`folds-all-unique` of 40 percentages have exactly
# one numerator.

# %%
folds = printed.convnext_folds().set_index("fold")
hits = pd.DataFrame({column: [forensics.grim(f"{percent:.4f}", 4, n) for percent, n in zip(folds[column], folds.n_test, strict=True)]
                     for column in folds.columns[1:]}, index=folds.index)
report.glue("folds-all-unique", int(hits.map(len).eq(1).sum().sum()))
hits = hits.map(lambda found: found[0])
pooled = hits.sum()
images = int(folds.n_test.sum())

# %%
copies, groups = printed.CONVNEXT_COPIES, printed.CONVNEXT_GROUPS
counts = printed.CONVNEXT_IMAGES["magnitude"]
per_group = {name: printed.CONVNEXT_QUIET_DAY_IMAGES if name == "Normal" else copies for name in counts}
members = {name: counts[name] // per_group[name] for name in ("Normal", "Large", "Moderate")}
members["Medium"] = groups - sum(members.values())     # what is left of the printed 301
order = [(name, members[name]) for name in ("Medium", "Normal", "Large", "Moderate")]
split = forensics.fold_composition(order, n_folds=10, seed=42, images=per_group)
report.table(pd.DataFrame([(name, n, per_group[name]) for name, n in order], columns=["class", "groups", "images a group"]),
             "convnext-groups", "Groups of one station and day by class, from the printed images and the printed 301.")

# %% [markdown]
# ### The split alone
# A companion repository deals groups of one station and day into ten folds, stratified by class. Its splitter needs
# only the number of groups in each class, and their order. We take 301 groups as printed, 24 images for a quiet
# station-day and four (one window and three augmented copies) for an event window, and place Medium and Normal before
# the two rare classes. Other orders do not give the printed errors.

# %%
table = pd.DataFrame({
    "test images": folds.n_test, "from the split": split.images, "difference": folds.n_test - split.images,
    "quiet days": split.Normal, "Large and Moderate images": copies * (split.Large + split.Moderate),
    "printed errors": folds.n_test - hits.magnitude})
report.table(table, "convnext-split", "Ten folds as printed, and as the splitter deals them from class counts alone.")

# %%
fig = report.plot_bars({f"fold {f}": float(v) for f, v in table["Large and Moderate images"].items()},
                       "images",
                       {f"fold {f}": float(v) for f, v in table["printed errors"].items()},
                       ("images of the two rare classes", "printed errors"))
report.figure(fig, "convnext-errors",
              caption="Bars: images of the two rare magnitude classes that the splitter deals into each fold. Marks: "
                      "the magnitude errors printed for it.",
              alt="Horizontal bars of eight, four and again eight images over ten folds; the mark of the printed errors "
                  "lies on the end of every bar.")
report.glue("errors-total", int(table["printed errors"].sum()))
report.glue("rare-images", int(counts["Large"] + counts["Moderate"]))
report.glue("errors-equal-rare", int((table["printed errors"] == table["Large and Moderate images"]).sum()))
report.glue("extra-images", int(table.difference.sum()))

# %% [markdown]
# In {glue:text}`errors-equal-rare` of the ten folds the printed magnitude errors are numerically equal to the Large and
# Moderate images that the splitter puts there; their sum, {glue:text}`errors-total`, equals the
# {glue:text}`rare-images` images of the two classes. The {glue:text}`extra-images` images that the split lacks come
# in fours, as second windows of a station-day would. The pattern is consistent with networks that name neither
# rare class. Another confusion pattern could give the same totals.
#
# **What would settle it:** the predictions, or ten confusion matrices.
#
# ### Two rules that learn neither magnitude nor direction
# *Quiet or Medium* answers Normal for quiet images and Medium for all others; *quiet or north* does the same with N.

# %%
truth = {t: np.repeat(np.arange(len(c)), list(c.values())) for t, c in printed.CONVNEXT_IMAGES.items()}
named = {"magnitude": "Medium", "azimuth": "N"}
matrices = {t: metrics.confusion(y, np.where(y == 0, 0, list(printed.CONVNEXT_IMAGES[t]).index(named[t])),
                                 len(printed.CONVNEXT_IMAGES[t])) for t, y in truth.items()}
rules = pd.DataFrame({t: {
    "hits of the rule": np.trace(m), "hits of ConvNeXt": pooled[t], "hits of EfficientNet-B0": pooled[f"{t}_efficientnet"],
    "MCC of the rule": float(metrics.mcc(m)), "printed estimate": printed.CONVNEXT_HEADLINE[t]["mcc"],
    "formula behind it": metrics.estimated_mcc((hits[t] / folds.n_test).mean(), len(m)),
    "balanced accuracy of the rule": float(metrics.balanced_accuracy(m))} for t, m in matrices.items()}).T
report.table(rules.rename_axis("target"), "convnext-rules", "Two rules on the printed class counts, beside both networks "
             "(1972 images).", {name: "{:.0f}" for name in rules.columns[:3]})

# %%
for target, m in matrices.items():
    report.glue(f"{target}-rule-hits", int(np.trace(m)))
    report.glue(f"{target}-hits", int(pooled[target]))
    report.glue(f"{target}-rule-mcc", float(metrics.mcc(m)))
    report.glue(f"{target}-estimate", float(rules["formula behind it"][target]))
quads = hits[["azimuth", "azimuth_efficientnet"]] // copies * copies
report.glue("azimuth-whole-quads", int(quads.azimuth.sum()))
report.glue("azimuth-quads-equal", int((quads.azimuth == quads.azimuth_efficientnet).sum()))

# %% [markdown]
# The first rule has {glue:text}`magnitude-rule-hits` hits, the networks {glue:text}`magnitude-hits`. The second has
# {glue:text}`azimuth-rule-hits`, ConvNeXt {glue:text}`azimuth-hits`. Rounded down to whole groups of four, the azimuth
# hits of both networks are the same numbers in {glue:text}`azimuth-quads-equal` of the ten folds and add up to
# {glue:text}`azimuth-whole-quads`, the count of the rule. The exact correlation of the two rules is
# {glue:text}`magnitude-rule-mcc:.3f` and {glue:text}`azimuth-rule-mcc:.3f`; the formula behind the printed estimates
# gives {glue:text}`magnitude-estimate:.3f` and {glue:text}`azimuth-estimate:.3f`, and a correlation cannot exceed one
# (chapter [04](04_mcc_analysis.ipynb)).
#
# **What would settle it:** predictions for the event images alone.
#
# ### What is one independent case?
# If the four images of a window share one prediction, hits come in fours.

# %%
p = {t: pooled[t] / images for t in ("magnitude", "azimuth")}
fours = {t: forensics.divisibility(hits[t], folds.n_test, copies) for t in p}
fours["both"] = forensics.divisibility(np.r_[hits.magnitude, hits.azimuth], np.r_[folds.n_test, folds.n_test], copies,
                                       np.repeat(list(p.values()), len(folds)))
report.table(pd.DataFrame(fours).T.rename_axis("target"), "convnext-fours",
             "Hits of ten folds divisible by four, and the probability of so many if images were right independently.",
             {"divisible": "{:.0f}", "of": "{:.0f}"})
spread = {unit: forensics.dispersion(hits.azimuth / m, folds.n_test / m) for unit, m in (("image", 1), ("quad", copies))}
report.table(pd.DataFrame(spread).T.rename_axis("unit"), "convnext-dispersion",
             "Differences between folds in azimuth, if images, or groups of four, are the independent cases.")

# %%
units = {"image": images, "window and its copies": images // copies, "station-day": groups}
rows = [(t, unit, n, *(100 * end for end in (span.low, span.high))) for t in p for unit, n in units.items()
        for span in [intervals.wilson(p[t] * n, n, unit)]]
large = intervals.clopper_pearson(0, members["Large"], "window")
rows.append(("recall of Large, none found", "window", large.n_units, 0.0, 100 * large.high))
levels = pd.DataFrame(rows, columns=["score", "independent case", "cases", "low_percent", "high_percent"])
report.table(levels, "convnext-levels", "Interval of 95 % of the pooled scores, by what is taken as one independent case "
             "(Wilson; Clopper-Pearson for the last row).", {"low_percent": "{:.1f}", "high_percent": "{:.1f}"})
report.glue("fours-p", fours["both"]["p_at_least"], "{:.2g}")
report.glue("fours-found", fours["both"]["divisible"])
report.glue("large-upper", 100 * large.high)
report.glue("large-windows", members["Large"])

# %% [markdown]
# {glue:text}`fours-found` of 20 hit counts are divisible by four; independent images would give so many with probability
# {glue:text}`fours-p`. Folds differ in azimuth too much for independent images and as expected for groups of four. The
# interval of a score should therefore count windows or station-days. Earthquakes are fewer still: one is seen by
# several stations, and the printed 301 include {glue:text}`quiet-days` quiet station-days. Large earthquakes have
# {glue:text}`large-windows` windows; with none of them found, the recall could still be
# {glue:text}`large-upper:.0f` %.
#
# **What would settle it:** the table of images with earthquake, station, date and parent image.
#
# ### Two networks, one score
# Both networks print the same mean and spread in magnitude. We ask how often two networks whose errors are
# independent would do so, and whether they differ in azimuth.

# %%
report.glue("quiet-days", members["Normal"])
rng = config.rng(42, "coincidence")
same = {unit: float(np.mean([
    ((np.abs(q.mean(1) - 97.53) < .005) & (np.abs(q.std(1) - .96) < .005)).mean()
    for _ in range(2)        # a million draws each
    for q in [100 * m * rng.binomial(folds.n_test // m, p["magnitude"], (1_000_000, 10)) / folds.n_test.to_numpy()]]))
    for unit, m in (("image", 1), ("quad", copies))}
percent = hits.div(folds.n_test, axis=0) * 100
azimuth_gap = comparison.corrected_resampled_t(percent.azimuth - percent.azimuth_efficientnet,
                                               images - images / 10, images / 10)
for unit, share in same.items():
    report.glue(f"coincidence-{unit}", f"{round(1 / share, -3):,.0f}")
report.glue("azimuth-gap-p", azimuth_gap["p"], "{:.2f}")

# %%
vgg16 = {"hits_of_1972": forensics.grim("98.68", 2, images), "hits_of_304": forensics.grim("98.68", 2, 304)}
efficientnet = {"magnitude_hits": pooled.magnitude_efficientnet, "azimuth_hits": pooled.azimuth_efficientnet,
                "magnitude_mean": percent.magnitude_efficientnet.mean(), "azimuth_mean": percent.azimuth_efficientnet.mean(),
                "azimuth_sd": percent.azimuth_efficientnet.std(ddof=0), "magnitude_coincidence": same,
                "azimuth_gap": azimuth_gap}
ddof = {t: forensics.ddof_of(percent[t], sd, 2) for t, sd in (("magnitude", "0.96"), ("azimuth", "5.74"))}
report.glue("fold-ddof", ddof["magnitude"][0])

# %% [markdown]
# If a second network erred independently at the same rate, it would print 97.53 ± 0.96 once in
# {glue:text}`coincidence-image` draws (images independent) or {glue:text}`coincidence-quad` (groups of four), from two
# million draws each. Two networks that both act as the rule *quiet or Medium* print it always. In azimuth no
# difference between them shows (corrected t-test over folds, p {glue:text}`azimuth-gap-p`). The printed spreads are standard deviations with `ddof` {glue:text}`fold-ddof`.
#
# **What would settle it:** which images each network misses.
#
# ## Study `crnn`: 28 blind cases
# The abstract prints a recall of 100 %, a precision of 61.5 % and 28 blind cases {cite:p}`crnn2026`. We list every
# confusion matrix that prints so, then add what its public repository shows.

# %%
cases = printed.CRNN_BLIND_CASES
abstract = forensics.confusion_matrices(printed.CRNN_ABSTRACT, cases)
ablation = printed.CRNN_ABLATION
full = forensics.confusion_matrices(printed.CRNN_ABSTRACT | ablation["three components"], cases)
readme = forensics.confusion_matrices(printed.CRNN_ABSTRACT | {"accuracy": printed.CRNN_README_ACCURACY}, range(1, 101))
h_only = forensics.confusion_matrices(ablation["H only"], cases)
picture = printed.CRNN_PICTURE
found = pd.concat([frame.assign(source=source) for source, frame in (
    ("abstract", abstract), ("abstract and ablation figure", full), ("abstract and README", readme),
    ("ablation figure, H only", h_only))])
report.table(found[["source", "n", "tp", "fp", "fn", "tn"]], "crnn-matrices",
             "Every confusion matrix that prints as the source does (28 cases; the README from 1 to 100).")

# %%
one = full.iloc[0]
recall, precision = (intervals.clopper_pearson(one.tp, n, "case") for n in (one.tp + one.fn, one.tp + one.fp))
specificity = one.tn / (one.tn + one.fp)
at_5_percent = 0.05 / (0.05 + 0.95 * (1 - specificity))      # recall 1, one day in twenty before an earthquake
for name, value in (("abstract", len(abstract)), ("full", len(full)), ("tp", one.tp), ("fp", one.fp), ("tn", one.tn)):
    report.glue(f"crnn-{name}", int(value))
report.glue("crnn-readme-n", " or ".join(str(n) for n in readme.n))
report.glue("crnn-h-positives", ", ".join(str(n) for n in h_only.tp + h_only.fn))
report.glue("crnn-h-matrices", len(forensics.confusion_matrices(ablation["H only"], cases, positives=int(one.tp))))
report.glue("crnn-picture-n", sum(picture.values()))
for name, value in (("recall-low", recall.low), ("precision-low", precision.low), ("precision-high", precision.high),
                    ("ppv", at_5_percent)):
    report.glue(f"crnn-{name}", 100 * float(value), "{:.0f}")

# %% [markdown]
# {glue:text}`crnn-abstract` matrices print as the abstract does. With the accuracy of 82.14 % from the repository's
# ablation figure one is left: {glue:text}`crnn-tp` hits, {glue:text}`crnn-fp` false alarms, no miss and
# {glue:text}`crnn-tn` quiet cases called quiet. It is right only if both sources describe the same cases. Then the 95 % interval of
# the recall starts at {glue:text}`crnn-recall-low` %, that of the precision runs from {glue:text}`crnn-precision-low` to
# {glue:text}`crnn-precision-high` %. Where one day in twenty precedes an earthquake, the same recall and false-alarm rate
# give a precision of {glue:text}`crnn-ppv` %.
#
# Other numbers of the repository do not fit these cases: the README's 86.1 % fits {glue:text}`crnn-readme-n` cases; the row
# *H only* fits no matrix with {glue:text}`crnn-tp` positives ({glue:text}`crnn-h-matrices` found; it needs
# {glue:text}`crnn-h-positives`); the confusion-matrix picture counts {glue:text}`crnn-picture-n` cases.
#
# **What would settle it:** the 28 cases with station, date, truth and prediction.
#
# ### A mean angular error of 72.32 degrees
# A blind guess has 90 degrees on average if directions are uniform. Two comparisons: chance with few cases, and the
# best constant direction when directions are not uniform.

# %%
maae = printed.CRNN_MAAE_DEG
chance = {n: forensics.maae_null(maae, n) for n in (8, 16, 28)}
sectors = {name: n for name, n in printed.CONVNEXT_IMAGES["azimuth"].items() if name != "Normal"}
bearings = np.repeat(np.arange(0, 360, 45), list(sectors.values()))
constant = metrics.best_constant_deg(bearings)
constant_maae = metrics.maae_deg(np.full(len(bearings), constant), bearings)
needed, present = forensics.resultant_reaching(maae), metrics.resultant(bearings)
report.glue("maae-p8", chance[8], "{:.2f}")
report.glue("maae-p28", chance[28], "{:.3f}")
report.glue("maae-needed", needed, "{:.3f}")
report.glue("maae-present", present, "{:.3f}")
report.glue("maae-constant", constant_maae, "{:.1f}")

# %%
kappa = np.linspace(0, 1.2, 60)
lengths = [forensics.resultant_reaching(metrics.maae_von_mises_deg(k)) if k else 0.0 for k in kappa]
fig = report.plot_lines(np.array(lengths), {
    "best constant direction": np.array([metrics.maae_von_mises_deg(k) for k in kappa]),
    "printed": np.full(len(kappa), maae)}, "resultant length of the true bearings", "mean angular error (degrees)")
report.figure(fig, "crnn-constant",
              caption="Mean absolute angular error of the best constant direction, as bearings become less uniform "
                      "(von Mises), beside the printed error.",
              alt="A falling curve of the best constant direction crosses the horizontal line of the printed error at a "
                  "resultant length near one quarter.")

# %% [markdown]
# Eight blind directions do as well with probability {glue:text}`maae-p8`, 28 with {glue:text}`maae-p28`. One constant
# direction reaches the printed error when the resultant length of the true bearings is {glue:text}`maae-needed`. The
# bearings of the Indonesian event images of study `convnext` have {glue:text}`maae-present`, and always answering north is wrong by
# {glue:text}`maae-constant` degrees there. Those are other events than the 28.
#
# **What would settle it:** true and predicted directions of the blind cases, and the best constant of each station.
#
# ## Study `tec`: shares of 472
# Seed 003 prints 27 accuracies with four digits {cite:p}`pham`: seven networks, and ten repeats with and without
# CutMix and MixUp. Which sizes of the test set have a numerator for all of them?

# %%
repeats = {name: [forensics.grim(text, 4, 472, whole=1)[0] for text in texts] for name, texts in printed.TEC_REPEATS.items()}
texts = [*printed.TEC_MODELS.values(), *(t for ten in printed.TEC_REPEATS.values() for t in ten)]
sizes = forensics.grim_sizes(texts, 4, range(50, printed.TEC_SAMPLES + 1), whole=1)
tried = np.arange(50, 1001)
fitting = sum(np.isin(tried, forensics.grim_sizes([text], 4, range(50, 1001), whole=1)).astype(float) for text in texts)
fig = report.plot_lines(tried, {"printed accuracies that fit": fitting}, "number of test images", "printed accuracies that fit, of 27")
report.figure(fig, "tec-sizes",
              caption="How many of the 27 printed accuracies are a whole number of images, by the size of the test set.",
              alt="A jagged line rises slowly with the size and reaches all 27 only in two sharp peaks at 472 and 944.")
report.glue("tec-size", sizes[0])
report.glue("tec-sizes", ", ".join(str(n) for n in sizes))

# %%
numerators = {name: forensics.grim(text, 4, sizes[0], whole=1)[0] for name, text in printed.TEC_MODELS.items()}
models = pd.DataFrame({"printed": printed.TEC_MODELS, "images right": numerators})
spans = [intervals.wilson(k, sizes[0], "test window") for k in numerators.values()]
models["low"], models["high"] = [span.low for span in spans], [span.high for span in spans]
report.table(models.rename_axis("network").sort_values("images right", ascending=False), "tec-models",
             "Seven networks as whole numbers of 472 test images; 95 % Wilson interval if images were independent.")
report.glue("tec-constant", models["images right"]["ConvNeXt"])
two = numerators["EfficientNetV2"], numerators["ResNet-RS50"]
z = (two[0] - two[1]) / np.sqrt(sum(two) * (1 - sum(two) / (2 * sizes[0])))
report.glue("tec-best", two[0])
report.glue("tec-z", float(z), "{:.2f}")

# %% [markdown]
# Only {glue:text}`tec-size` and its multiples fit ({glue:text}`tec-sizes` up to all samples): a fifth of 2356, as the text says. The
# row of ConvNeXt, {glue:text}`tec-constant` images right, is numerically equal to one constant answer on classes of
# equal size; the paper says that it did not converge. Best and second network differ by {glue:text}`tec-z` standard errors if the test images are
# independent.
#
# **What would settle it:** the confusion matrix of each network; Figure 4 of the paper shows one.
#
# ### The best of ten, and what the ten repeats show
# Table 1 reports the best of ten trainings. Its value is the largest of the ten test accuracies in Table 2.

# %%
shares = {name: np.array(k) / sizes[0] for name, k in repeats.items()}
summary = pd.DataFrame({name: {
    "mean": s.mean(), "sd_ddof0": s.std(), "sd_ddof1": s.std(ddof=1), "printed mean": float(printed.TEC_REPEATS_SUMMARY[name][0]),
    "printed sd": float(printed.TEC_REPEATS_SUMMARY[name][1]), "best": s.max(),
    "expected best of ten": forensics.best_of(s.mean(), s.std(ddof=1), 10)} for name, s in shares.items()}).T
report.table(summary.rename_axis("training"), "tec-repeats", "Ten repeats from whole numbers of images.",
             {name: "{:.4f}" for name in summary})
mixing = forensics.compare_repeats(*(np.array(t, float) for t in printed.TEC_REPEATS.values()))
report.table(pd.DataFrame([mixing]).rename(index={0: "with minus without"}).rename_axis("comparison"), "tec-mixing",
             "CutMix and MixUp against neither: Welch's t-test of the means, F and Levene tests of the variances.")

# %%
plain, looks = shares["neither"], np.arange(1, 31)
expected = np.array([forensics.best_of(plain.mean(), plain.std(ddof=1), int(k)) for k in looks])
fig = report.plot_lines(looks, {"expected best": expected, "mean of ten": np.full(30, plain.mean()),
                                "printed": np.full(30, plain.max())}, "number of trainings looked at", "accuracy on the test set")
report.figure(fig, "tec-best-of",
              caption="Expected best accuracy of several trainings with the mean and spread of the ten repeats, if they "
                      "differ by chance alone, beside their mean and the printed best.",
              alt="A curve rises from the mean of ten with the number of trainings and comes near the line of the printed "
                  "best at thirty.")
report.glue("tec-mean", plain.mean(), "{:.4f}")
report.glue("tec-expected", expected[9], "{:.3f}")
report.glue("tec-welch", mixing["welch_p"], "{:.2f}")
report.glue("tec-f", mixing["f_p"], "{:.2f}")
report.glue("tec-levene", mixing["levene_p"], "{:.2f}")

# %% [markdown]
# The ten trainings have a mean of {glue:text}`tec-mean`; the best of ten such trainings is expected at {glue:text}`tec-expected`, the
# printed best is 0.6716. Between training with and without CutMix and MixUp no difference of the means shows
# (p {glue:text}`tec-welch`), nor of the variances (F test p {glue:text}`tec-f`, Levene {glue:text}`tec-levene`): ten repeats do not show the steadier training
# that the text describes. Nor do they show that it is absent. In the last digit, the printed mean 0.6348 is that of the
# printed shares, the counts give {glue:text}`tec-mean`; the printed spreads are those with `ddof` {glue:text}`tec-ddof`;
# and the 67.1 % of the abstract is the best share, cut instead of rounded.
#
# **What would settle it:** more repeats, each selected on the validation data and tested once.
#
# ### How much windows overlap
# Half of the 2356 samples, 1178, are windows of 30 days before earthquakes, from one series of 23 years at one place.

# %%
days = int((np.datetime64(printed.TEC_PERIOD[1]) - np.datetime64(printed.TEC_PERIOD[0])).astype(int))
coverage = forensics.window_coverage(printed.TEC_SAMPLES // 2, printed.TEC_WINDOW_DAYS, days, within_days=1, train_share=0.7)
fewest = forensics.window_coverage(printed.TEC_EVENTS_AT_LEAST, printed.TEC_WINDOW_DAYS, days)
tec_details = {"headline": forensics.grim(printed.TEC_BEST_PERCENT, 1, sizes[0]),
               "mean": {name: forensics.grim(text[0], 4, 10 * sizes[0], whole=1)
                        for name, text in printed.TEC_REPEATS_SUMMARY.items()},
               "ddof": {name: forensics.ddof_of(shares[name], text[1], 3)
                        for name, text in printed.TEC_REPEATS_SUMMARY.items()}}
report.glue("tec-per-day", coverage["per_day"], "{:.1f}")
report.glue("tec-ddof", tec_details["ddof"]["neither"][0])
report.glue("tec-near", 100 * coverage["near"], "{:.0f}")
report.glue("tec-quiet-low", 100 * coverage["uncovered"], "{:.1f}")
report.glue("tec-quiet-high", 100 * fewest["uncovered"], "{:.1f}")

# %% [markdown]
# On average each day lies in {glue:text}`tec-per-day` windows before earthquakes. If earthquakes came at random times,
# {glue:text}`tec-near` % of these test windows would start within a day of a training window: a random split puts near
# copies on both sides. At that rate {glue:text}`tec-quiet-low` to {glue:text}`tec-quiet-high` % of all 30-day stretches
# are free of an earthquake above magnitude 5, so windows without one come from few stretches of the series, unless
# they were defined otherwise. Earthquakes come in clusters, which raises both shares.
#
# **What would settle it:** the start dates of all 2356 samples and their part of the split.
#
# ## Study `observatory`: an open null result
# Seed 004 says itself that accuracy stayed at the share of the labels, and gives three possible reasons {cite:p}`petrescu2022`.
# The printed numbers agree with that.

# %%
accuracy = printed.OBSERVATORY_ACCURACY
known = [*accuracy.values(), printed.OBSERVATORY_LABEL_SHARES[1]]
fitting = forensics.grim_sizes(known, [3, 3, 3, 4], range(1, 1001), whole=1)
windows = fitting[0]
table = pd.DataFrame({"printed": accuracy, "windows right": {k: forensics.grim(v, 3, windows, whole=1)[0] for k, v in accuracy.items()}})
report.table(table.rename_axis("window length"), "observatory-accuracy",
             f"Printed accuracies as whole numbers of {windows}, the smallest size that fits all.")
pairs = forensics.complements(accuracy, windows)
report.glue("observatory-n", windows)
report.glue("observatory-others", len(fitting))
report.glue("observatory-other-share", forensics.grim_sizes(printed.OBSERVATORY_LABEL_SHARES[:1], 4, range(1, 1001), 1)[0])
report.glue("observatory-pair", " and ".join(pairs[0]))
report.glue("observatory-pairs", len(pairs))

# %%
layers = forensics.parameter_table(printed.OBSERVATORY_INPUT, printed.OBSERVATORY_LAYERS)
layers["printed"] = printed.OBSERVATORY_PARAMETERS
layers.insert(0, "layer number", np.arange(1, len(layers) + 1))
report.table(layers, "observatory-parameters", "Table 2 of the paper, layer by layer: output shape and parameters.",
             {"parameters": "{:,}", "printed": "{:,}"})
total = forensics.total_check(printed.OBSERVATORY_PARAMETERS, int(layers.parameters.sum()))
trained = 0.8 * 2 * sum(printed.OBSERVATORY_EVENTS.values())
nyquist = forensics.nyquist_check(printed.OBSERVATORY_CORNER_HZ, printed.OBSERVATORY_SAMPLING_S)
ratios = {name: parameters // pictures for name, (parameters, pictures, _) in printed.OBSERVATORY_RATIOS.items()}
report.glue("observatory-total", f"{int(total['sum']):,}")
report.glue("observatory-ratio", f"{total['sum'] / trained:,.0f}")
report.glue("observatory-nyquist", nyquist["nyquist_hz"], "{:.5f}")
report.glue("observatory-alexnet", ratios["AlexNet"])
report.glue("observatory-vgg", ratios["VGG16"])

# %% [markdown]
# {glue:text}`observatory-n` windows is the smallest size that fits the three accuracies and the printed label share 0.6641
# ({glue:text}`observatory-others` sizes up to 1000 fit). Of that number the accuracies for {glue:text}`observatory-pair` add up to one: the two
# models are consistent with constant answers, one for each class. The paper says that accuracy equalled the share of
# the labels. Its other label share, 0.5874, is no share of {glue:text}`observatory-n`; the smallest number it fits is
# {glue:text}`observatory-other-share`.
#
# The parameters of Table 2 follow layer by layer; they total {glue:text}`observatory-total`, about
# {glue:text}`observatory-ratio` for each training window of three observatories with as many quiet windows. The ratios quoted for comparison
# come out at {glue:text}`observatory-alexnet` and {glue:text}`observatory-vgg`, printed as 60 and 8625. The corner
# of the filter, 0.02 Hz, lies above {glue:text}`observatory-nyquist` Hz, the highest frequency that one sample a minute holds;
# another unit may have been meant.
#
# **What would settle it:** labels and predictions of the validation windows, and the filter's code.
#
# ## Save

# %%
convnext = {
    "trivial": {"magnitude_hits": np.trace(matrices["magnitude"]), "azimuth_hits": np.trace(matrices["azimuth"]),
                "azimuth_whole_quads": quads.azimuth.tolist(), "images": images, "scores": rules.to_dict("index")},
    "folds": {"errors": (folds.n_test - hits.magnitude).tolist(), "azimuth_hits": hits.azimuth.tolist(),
              "rare_images": (copies * (split.Large + split.Moderate)).tolist(), "sizes": folds.n_test.tolist(),
              "sizes_of_the_split": split.images.tolist(), "groups": int(split.groups.sum()),
              "groups_by_fold": split.groups.tolist(), "normal_groups": int(split.Normal.sum()),
              "normal_groups_by_fold": split.Normal.tolist(), "ddof": ddof},
    "divisibility": fours, "dispersion": spread, "intervals": levels, "efficientnet": efficientnet, "vgg16": vgg16}
crnn = {"confusion": full, "confusion_of_the_abstract": abstract, "confusion_of_the_readme": readme,
        "confusion_h_only": h_only, "precision": 100 * one.tp / (one.tp + one.fp), "recall": 100 * one.tp / (one.tp + one.fn),
        "recall_interval": [recall.low, recall.high], "precision_interval": [precision.low, precision.high],
        "precision_at_5_percent": at_5_percent, "maae_p": chance[8], "maae_p_by_cases": chance,
        "maae_constant": constant_maae, "resultant_needed": needed, "resultant_of_convnext": present}

# %%
tec = {"numerators": numerators, "repeats": repeats, "size": sizes[0], "sizes": sizes, "summary": summary.to_dict("index"),
       "intervals": {name: [span.low, span.high] for name, span in zip(numerators, spans, strict=True)}, "mixing": mixing,
       "best_of_ten": float(expected[9]), "difference_z": float(z), "coverage": coverage,
       "quiet_share": [coverage["uncovered"], fewest["uncovered"]], "rounding": tec_details}
observatory = {"parameters": dict(zip((f"{n} {kind}" for n, kind in enumerate(layers.layer, 1)), layers.parameters, strict=True)),
               "total": total["sum"], "per_training_window": total["sum"] / trained, "size": windows, "sizes": fitting,
               "numerators": table["windows right"].to_dict(), "complements": pairs, "nyquist": nyquist, "ratios": ratios}
report.save_results("10_reported_numbers", {"convnext": convnext, "crnn": crnn, "tec": tec, "observatory": observatory})

# %% [markdown]
# ## Take-away
# - The magnitude hits of `convnext` are those of a rule that learns no magnitude, fold by fold; its azimuth hits are
#   nearly those of a rule that learns no direction. The numbers of `crnn`, `tec` and `observatory` leave room for
#   chance, selection and constant answers.
# - None of this shows what the networks learned. Predictions, window by window, would; they are small files.
# - No skill shown is not no precursor: the printed numbers do not decide about the Earth.
#
# ## Exercises
# **1. A paper of yours.** Take any percentage with three or more digits from a paper and ask `.venv/bin/python -m
# lib.forensics --help` which counts allow it. How many test sizes are left?
#
# **2. Round and lose.** With how many digits must an accuracy be printed so that its test size of about 500 can be
# recovered? Try it with `lib.forensics.rounding`.
#
# **3. Fair use.** A number that fits nothing does not say why. Write one sentence to an author about such a number
# that states what was printed, what you computed, and what would settle it, and nothing else.
