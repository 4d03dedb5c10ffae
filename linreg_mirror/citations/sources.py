"""Which papers solvers, networks, methods, scores and the like come from; theorems and claims say so themselves.

Names are strings, not objects, so that nothing is imported that needs torch.
"""

from collections.abc import Mapping

# For each abbreviation of `theorems.papers.PAPERS`, the key of its BibTeX entry; None is this package.
PAPER_KEYS: Mapping[str, str | None] = {
    "MM": "jacobs2025mask",
    "MM v1": "jacobs2024mask",
    "W20": "woodworth2020kernel",
    "LWLA22": "li2022implicit",
    "ZW23": "ziyin2023spred",
    "E23": "even2023sgd",
    "P24": "papazov2024leveraging",
    "ACH18": "arora2018optimization",
    "G17": "gunasekar2017implicit",
    "PF23": "pesme2023saddle",
    "B25": "berthier2025diagonal",
    "SK": "bar2023pruning",
    "DKM06": "drineas2006fast",
    "Kool19": "kool2019stochastic",
    "DLT07": "duffield2007priority",
    "P94": "pinelis1994optimum",
    "HC": "louizos2018learning",
    "DL": "li2021dep",
    "KB15": "kingma2015adam",
    "ours": None,
}

SOLVERS: Mapping[str, tuple[str, ...]] = {
    "flow": ("jacobs2025mask", "virtanen2020scipy"),
    "limit": ("jacobs2025mask",),
    "descent": ("even2023sgd",),
    "descents": ("even2023sgd",),
    "implicit-bias": ("even2023sgd", "papazov2024leveraging"),
    "saddles": ("pesme2023saddle",),
    "minimum-l1": ("woodworth2020kernel", "jacobs2025mask"),
    "minimum-l2": (),
    "lasso": ("tibshirani1996regression", "pedregosa2011scikit"),
    "largest-stable-step": (),
    "lsoda": ("petzold1983automatic",),
    "highs": ("huangfu2018parallelizing", "virtanen2020scipy"),
    "cvxpy": ("diamond2016cvxpy", "goulart2024clarabel"),
    "problem": (),
}
NETWORKS: Mapping[str, tuple[str, ...]] = {
    "hadamard": ("jacobs2025mask", "woodworth2020kernel"),
    "power": ("woodworth2020kernel",),
    "deep-linear": ("arora2018optimization",),
    "factorized": ("gunasekar2017implicit",),
    "shared-hadamard": (),
    "direct": (),
}
METHODS: Mapping[str, tuple[str, ...]] = {
    "dense": (),
    "masked": (),
    "l1": ("tibshirani1996regression",),
    "spred": ("ziyin2023spred",),
    "pilot": ("jacobs2025mask",),
    "pilot-mirror": ("jacobs2025mask",),
    "powerprop": ("schwarz2021powerpropagation",),
    "cs": ("savarese2020winning",),
    "str": ("kusupati2020soft",),
    "ham": ("jacobs2026hyperbolic",),
    "rigl": ("evci2020rigging",),
    "l0": ("louizos2018learning",),
    "dep-l0": ("li2021dep", "louizos2018learning"),
}
# How cycles of training rewind, by the settings of `Iterative` and by their common names.
REWINDS: Mapping[str, str] = {"initialisation": "imp", "weights": "wr", "learning-rate": "lrr"}
CYCLES: Mapping[str, tuple[str, ...]] = {
    "imp": ("frankle2019lottery",),
    "wr": ("renda2020comparing",),
    "lrr": ("renda2020comparing",),
}
SCORES: Mapping[str, tuple[str, ...]] = {
    "magnitude": (),
    "random": (),
    "synflow": ("tanaka2020pruning",),
    "jacobian-norm": ("drineas2006fast",),
    "snip": ("lee2019snip",),
    "grasp": ("wang2020picking",),
    "rms-snip": ("lee2019snip",),
}
SELECTIONS: Mapping[str, tuple[str, ...]] = {
    "top-k": (),
    "gumbel": ("kool2019stochastic", "duffield2007priority"),
    "systematic": ("madow1949theory",),
    "bernoulli": (),
    "with-replacement": ("drineas2006fast",),
}
ALLOCATIONS: Mapping[str, tuple[str, ...]] = {
    "global": (),
    "uniform": (),
    "erdos-renyi": ("mocanu2018scalable",),
    "erk": ("evci2020rigging",),
}
_RESNETS = ("resnet8", "resnet20", "resnet32", "resnet56", "resnet18", "resnet34", "resnet50")
MODELS: Mapping[str, tuple[str, ...]] = {
    "mlp": (),
    **dict.fromkeys(("lenet-300-100", "lenet-5"), ("lecun1998gradient",)),
    **dict.fromkeys(_RESNETS, ("he2016deep",)),
    **dict.fromkeys(("vgg16-bn", "vgg19-bn"), ("simonyan2015very",)),
}
DATASETS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("digits", "diabetes", "breast-cancer"), ("pedregosa2011scikit",)),
    "teacher": (),
    "folder": (),
    "mnist": ("lecun1998gradient",),
    "fashion-mnist": ("xiao2017fashion",),
    **dict.fromkeys(("cifar10", "cifar100"), ("krizhevsky2009learning",)),
}
SOURCES: Mapping[str, tuple[str, ...]] = {
    **SOLVERS,
    **NETWORKS,
    **METHODS,
    **CYCLES,
    **SCORES,
    **SELECTIONS,
    **ALLOCATIONS,
    **MODELS,
    **DATASETS,
}

# Classes of this package, wherever they are defined, by the name above that they go by.
CLASSES: Mapping[str, str] = {
    "Descent": "descent",
    "Descents": "descents",
    "ImplicitBias": "implicit-bias",
    "SaddlePath": "saddles",
    "Problem": "problem",
    "Hadamard": "hadamard",
    "SharedHadamard": "shared-hadamard",
    "Power": "power",
    "DeepLinear": "deep-linear",
    "Factorized": "factorized",
    "Direct": "direct",
    "Dense": "dense",
    "L1": "l1",
    "Spred": "spred",
    "PILoT": "pilot",
    "MirrorPILoT": "pilot-mirror",
    "MirrorDescent": "pilot-mirror",
    "Powerprop": "powerprop",
    "ContinuousSparsification": "cs",
    "STR": "str",
    "HAM": "ham",
    "RigL": "rigl",
    "L0": "l0",
    "DepL0": "dep-l0",
}
# What `Stats.method` of a Solution begins with, by the names above of what was used.
SOLUTIONS: Mapping[str, tuple[str, ...]] = {
    "Newton on the dual": ("limit",),
    "mirror limit": ("minimum-l1",),
    "HiGHS": ("highs",),
    "cvxpy": ("cvxpy",),
    "numpy lstsq": ("minimum-l2",),
    "scikit-learn Lasso": ("lasso",),
    "saddle to saddle": ("saddles",),
}
