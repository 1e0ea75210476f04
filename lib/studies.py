"""The studies: one frozen dataclass each, with the published value and its source beside every field.

A study says everything that happens between a record and a score. Published values are the defaults;
`lib.config` holds the profiles that make a study smaller. A further study is one more entry in `STUDIES`.

Source marks: S0, S1 seeds 000 and 001; R1, R2, R3 the public repositories behind them
(`ctrd3r/convnext2`@dd103d5, `sumawanbmkg/EfficientNet`@ba3fba1, `sumawanbmkg/earthquake-precursor-cnn`
@d6ddad5); [D] a decision of this compendium.
"""

from dataclasses import dataclass, field

MAGNITUDE_CLASSES = ("Normal", "Moderate", "Medium", "Large")        # S1: -, 4-4.9, 5-5.9, >= 6
AZIMUTH_CLASSES = ("Normal", "N", "NE", "E", "SE", "S", "SW", "W", "NW")   # S1: sectors of 45 degrees
CLASSES = {"magnitude": MAGNITUDE_CLASSES, "azimuth": AZIMUTH_CLASSES}     # Normal is class 0 of both
N_CLASSES = {target: len(names) for target, names in CLASSES.items()}
COMPONENTS = "HDZ"                                                   # x north, y east, z down


@dataclass(frozen=True)
class WorldSpec:
    """The synthetic Earth (validity.md C); ignored when real records are given."""

    start: str = "2018-01-01"         # S1: 2018-2023
    years: float = 6.0
    snr: float = 2.0                  # planted amplitude in units of the world's sigma0; 0 = null [D]
    source: str = "vmd"               # vmd | hed | scalar (C8)
    amplitude_law: str = "flat"       # flat | hattori | dobrovolsky | physical (C8)
    clustering: str = "poisson"       # poisson | etas (C7)


@dataclass(frozen=True)
class WindowSpec:
    """Which stretches of record become windows, and how quiet ones are chosen."""

    window_s: int = 21600             # S1: 6 h (R1, R2 code: 1 h)
    sampling_s: float = 1.0           # S1: 1 Hz
    design: str = "fair_ulf"          # fair_ulf | published_ulf (1 h) | operational (C9) [D]
    n_windows: int = 1972             # S1
    lead_days: tuple[float, ...] = (1, 3, 5)   # C9 [D]
    stations_per_event: int = 3       # C9 [D]
    radius_km: float = 250.0          # C9 [D]; R1: 500
    depth_km: float = 100.0           # R1 METHODOLOGY: < 100 km
    hour_utc: int = 14                # start of the 6 h local-night window, 21-23 LT over the network [D]
    min_magnitude: float = 4.5        # completeness of the synthetic catalogue; S1: 4.0


@dataclass(frozen=True)
class STFTSpec:
    """Short-time Fourier transform and image size (lib.stft)."""

    nperseg: int = 256                # R1 METHODOLOGY:64-78
    noverlap: int = 128               # R1
    highpass_hz: float | None = 0.001  # R1's 0.001-0.5 Hz band: the upper edge is the Nyquist already (B2)
    freq_hz: tuple[float, float] = (0.0, 0.5)   # README:154; R2's images show 0.010-0.045
    size: tuple[int, int] = (224, 224)          # (frequency, time) pixels; S1
    phase: bool = False               # adds Re, Im of the H Z* and D Z* cross-spectra as channels [D]


@dataclass(frozen=True)
class NetworkSpec:
    """Backbone through timm, and the heads of R1."""

    backbone: str = "convnext"        # a key of lib.model.BACKBONES or any timm name
    weights: str | None = None        # None | "imagenet" | path of a safetensors file
    hidden: int = 512                 # R1: LN - Dropout .5 - Linear 512 - GELU - Dropout .25 - Linear
    dropout: float = 0.5              # R1
    light: bool = False               # the variant small enough for two cores [D]


@dataclass(frozen=True)
class TrainingSpec:
    """Optimisation, as S1 prints it."""

    epochs: int = 50                  # S1
    batch_size: int = 32              # S1
    learning_rate: float = 1e-4       # S1
    weight_decay: float = 0.05        # S1
    warmup_epochs: int = 5            # S1, linear, then cosine; stepped per step (R1 stepped it per epoch)
    min_learning_rate: float = 1e-6   # R1 configs/convnext_tiny.yaml
    clip: float = 1.0                 # R1
    patience: int = 10                # R1; here on an inner split by event, never on the test fold
    inner_fraction: float = 0.2       # share of the training groups used for selection (A4) [D]
    azimuth_weight: float = 0.5       # S1: L = L_mag + 0.5 L_az
    augmentation: str | None = "physical"   # None | "physical" | "published"
    autocast: str | None = None       # None | "bfloat16"
    channels_last: bool = False
    threads: int | None = None        # torch threads inside one fold; None leaves torch's own choice


@dataclass(frozen=True)
class EvaluationSpec:
    """Protocols and statistics."""

    folds: int | None = 10            # S1; None holds out one group at a time
    bootstrap: int = 2000             # A6
    permutations: int = 999           # A7 asks for >= 199


@dataclass(frozen=True)
class Study:
    """Everything between a record and a score."""

    name: str
    title: str
    source: str
    profile: str = "full"
    seed: int = 42                    # R1
    targets: tuple[str, ...] = ("magnitude", "azimuth")
    world: WorldSpec = field(default_factory=WorldSpec)
    windows: WindowSpec = field(default_factory=WindowSpec)
    stft: STFTSpec = field(default_factory=STFTSpec)
    network: NetworkSpec = field(default_factory=NetworkSpec)
    training: TrainingSpec = field(default_factory=TrainingSpec)
    evaluation: EvaluationSpec = field(default_factory=EvaluationSpec)


STUDIES = {
    "convnext": Study(
        name="convnext",
        title="ConvNeXt on ULF spectrograms",
        source="seeds 000 and 001; ctrd3r/convnext2@dd103d5",
    ),
}
