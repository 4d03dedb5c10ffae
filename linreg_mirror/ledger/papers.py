"""The papers that theorems and claims come from, by abbreviation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Paper(NamedTuple):
    """A paper that statements come from.

    Attributes
    ----------
    key : str or None
        Of its BibTeX entry in linreg_mirror/citations/references.bib; None is this package.
    text : str
        Authors, title, where and when.
    """

    key: str | None
    text: str


PAPERS: Mapping[str, Paper] = {
    "MM": Paper(
        "jacobs2025mask", "Jacobs, Burkholz: Mask in the Mirror: Implicit Sparsification. ICLR 2025, arXiv 2408.09966"
    ),
    "MM v1": Paper("jacobs2024mask", "Jacobs, Burkholz: Mask in the Mirror. First version, arXiv 2408.09966v1"),
    "JZB25": Paper(
        "jacobs2026mirror",
        "Jacobs, Zhou, Burkholz: Mirror, Mirror of the Flow. Geometry, Topology, and Machine Learning Workshop 2026, "
        "arXiv 2504.12883",
    ),
    "JZB26": Paper(
        "jacobs2026never",
        "Jacobs, Zhou, Burkholz: Never Saddle for Reparameterized Steepest Descent as Mirror Flow. ICLR 2026, "
        "arXiv 2603.02064",
    ),
    "W20": Paper(
        "woodworth2020kernel",
        "Woodworth et al.: Kernel and Rich Regimes in Overparametrized Models. COLT 2020, arXiv 2002.09277",
    ),
    "MS25": Paper(
        "matt2025linear",
        "Matt, Stöger: Linear Regression with Overparameterized Linear Neural Networks. arXiv 2506.01143",
    ),
    "LWLA22": Paper(
        "li2022implicit",
        "Li, Wang, Lee, Arora: Implicit Bias of Gradient Descent on Reparametrized Models. arXiv 2207.04036",
    ),
    "ZW23": Paper("ziyin2023spred", "Ziyin, Wang: spred: Solving L1 Penalty with SGD. ICML 2023, arXiv 2210.01212"),
    "K25": Paper(
        "kolb2025differentiable",
        "Kolb, Frost, Bischl, Rügamer: Differentiable Sparsity via D-Gating. NeurIPS 2025, arXiv 2509.23898",
    ),
    "E23": Paper(
        "even2023sgd",
        "Even, Pesme, Gunasekar, Flammarion: (S)GD over Diagonal Linear Networks. NeurIPS 2023, arXiv 2302.08982",
    ),
    "N22": Paper(
        "nacson2022implicit",
        "Nacson, Ravichandran, Srebro, Soudry: Implicit Bias of the Step Size in Linear Diagonal Neural Networks. "
        "ICML 2022",
    ),
    "WME18": Paper(
        "wu2018sgd",
        "Wu, Ma, E: How SGD Selects the Global Minima in Over-parameterized Learning. NeurIPS 2018",
    ),
    "HAM": Paper(
        "jacobs2026hyperbolic",
        "Jacobs, Gadhikar, Rubio-Madrigal, Burkholz: Hyperbolic Aware Minimization. ICLR 2026, arXiv 2506.02630",
    ),
    "PPF21": Paper(
        "pesme2021implicit",
        "Pesme, Pillaud-Vivien, Flammarion: Implicit Bias of SGD for Diagonal Linear Networks. NeurIPS 2021, "
        "arXiv 2106.09524",
    ),
    "HWLM21": Paper(
        "haochen2021shape",
        "HaoChen, Wei, Lee, Ma: Shape Matters: Understanding the Implicit Bias of the Noise Covariance. COLT 2021, "
        "arXiv 2006.08680",
    ),
    "PRF22": Paper(
        "pillaudvivien2022label",
        "Pillaud-Vivien, Reygner, Flammarion: Label Noise (Stochastic) Gradient Descent Implicitly Solves the Lasso. "
        "COLT 2022, arXiv 2206.09841",
    ),
    "P24": Paper(
        "papazov2024leveraging",
        "Papazov, Pesme, Flammarion: Leveraging Continuous Time to Understand Momentum When Training "
        "Diagonal Linear Networks. AISTATS 2024, arXiv 2403.05293",
    ),
    "ACH18": Paper(
        "arora2018optimization",
        "Arora, Cohen, Hazan: On the Optimization of Deep Networks. ICML 2018, arXiv 1802.06509",
    ),
    "SMG14": Paper(
        "saxe2014exact",
        "Saxe, McClelland, Ganguli: Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear Neural "
        "Networks. ICLR 2014, arXiv 1312.6120",
    ),
    "MC24": Paper(
        "marion2024deep",
        "Marion, Chizat: Deep Linear Networks for Regression are Implicitly Regularized towards Flat Minima. "
        "NeurIPS 2024, arXiv 2405.13456",
    ),
    "G17": Paper(
        "gunasekar2017implicit",
        "Gunasekar et al.: Implicit Regularization in Matrix Factorization. NeurIPS 2017, arXiv 1705.09280",
    ),
    "G18": Paper(
        "gunasekar2018characterizing",
        "Gunasekar, Lee, Soudry, Srebro: Characterizing Implicit Bias in Terms of Optimization Geometry. "
        "ICML 2018, arXiv 1802.08246",
    ),
    "R20": Paper(
        "radhakrishnan2020linear",
        "Radhakrishnan, Belkin, Uhler: Linear Convergence of Generalized Mirror Descent with Time-Dependent Mirrors. "
        "arXiv 2009.08574",
    ),
    "BT03": Paper(
        "beck2003mirror",
        "Beck, Teboulle: Mirror Descent and Nonlinear Projected Subgradient Methods for Convex Optimization. "
        "Oper. Res. Lett. 31, 2003",
    ),
    "LFN18": Paper(
        "lu2018relatively",
        "Lu, Freund, Nesterov: Relatively Smooth Convex Optimization by First-Order Methods, and Applications. "
        "SIAM J. Optim. 28, 2018, arXiv 1610.05708",
    ),
    "LL20": Paper(
        "lyu2020gradient",
        "Lyu, Li: Gradient Descent Maximizes the Margin of Homogeneous Neural Networks. ICLR 2020, arXiv 1906.05890",
    ),
    "PF23": Paper(
        "pesme2023saddle",
        "Pesme, Flammarion: Saddle-to-Saddle Dynamics in Diagonal Linear Networks. NeurIPS 2023, arXiv 2304.00488",
    ),
    "S19": Paper(
        "shamir2019exponential",
        "Shamir: Exponential Convergence Time of Gradient Descent for One-Dimensional Deep Linear Neural Networks. "
        "COLT 2019, arXiv 1809.08587",
    ),
    "YKM21": Paper(
        "yun2021unifying",
        "Yun, Krishnan, Mobahi: A Unifying View on Implicit Bias in Training Linear Neural Networks. ICLR 2021, "
        "arXiv 2010.02501",
    ),
    "Z26": Paper(
        "zhao2026gradient",
        "Zhao, Wang, Yang, Bai, Zhang: Gradient Flow Dynamics and Implicit Bias of Diagonal Linear Networks under "
        "Infinitesimal Initialization. ICML 2026, arXiv 2607.12332",
    ),
    "B25": Paper(
        "berthier2025diagonal", "Berthier: Diagonal Linear Networks and the Lasso Regularization Path. arXiv 2509.18766"
    ),
    "SK": Paper("bar2023pruning", "Bar, Giryes: Pruning at Initialization - A Sketching Perspective. arXiv 2305.17559"),
    "WZG20": Paper(
        "wang2020picking",
        "Wang, Zhang, Grosse: Picking Winning Tickets Before Training by Preserving Gradient Flow. ICLR 2020, "
        "arXiv 2002.07376",
    ),
    "TKYG20": Paper(
        "tanaka2020pruning",
        "Tanaka, Kunin, Yamins, Ganguli: Pruning Neural Networks without any Data by Iteratively Conserving Synaptic "
        "Flow. NeurIPS 2020, arXiv 2006.05467",
    ),
    "DKM06": Paper(
        "drineas2006fast",
        "Drineas, Kannan, Mahoney: Fast Monte Carlo Algorithms for Matrices I. SIAM J. Comput. 36(1), 2006",
    ),
    "Kool19": Paper(
        "kool2019stochastic",
        "Kool, van Hoof, Welling: Stochastic Beams and Where to Find Them. ICML 2019, arXiv 1903.06059",
    ),
    "DLT07": Paper(
        "duffield2007priority",
        "Duffield, Lund, Thorup: Priority Sampling for Estimation of Arbitrary Subset Sums. J. ACM 54(6), 2007",
    ),
    "P94": Paper(
        "pinelis1994optimum",
        "Pinelis: Optimum Bounds for the Distributions of Martingales in Banach Spaces. Ann. Probab. 22, 1994",
    ),
    "HC": Paper(
        "louizos2018learning",
        "Louizos, Welling, Kingma: Learning Sparse Neural Networks through L0 Regularization. "
        "ICLR 2018, arXiv 1712.01312",
    ),
    "DL": Paper(
        "li2021dep",
        "Li, Ji: Dep-L0: Improving L0-based Network Sparsification via Dependency Modeling. "
        "ECML PKDD 2021, arXiv 2107.00070",
    ),
    "KB15": Paper(
        "kingma2015adam", "Kingma, Ba: Adam: A Method for Stochastic Optimization. ICLR 2015, arXiv 1412.6980"
    ),
    "ours": Paper(None, "This package; proved in the docstring of the theorem"),
}


@dataclass(frozen=True)
class Citation:
    """Where a statement comes from.

    Attributes
    ----------
    paper : str
        A key of `PAPERS`.
    number : str
        Theorem, equation or section.
    printed : bool
        True where the statement is tested as printed, although it is known to be wrong.

    Raises
    ------
    ValueError
        If the paper is not in `PAPERS`.
    """

    paper: str
    number: str
    printed: bool = False

    def __post_init__(self) -> None:
        if self.paper not in PAPERS:
            raise ValueError(
                f"{self.paper!r} is not in linreg_mirror.ledger.papers.PAPERS ({', '.join(PAPERS)}): write 'ours' for "
                "a statement of your own, or enter the paper there, PAPERS['key'] = Paper(bibtex_key, reference)"
            )

    def __str__(self) -> str:
        return f"{self.paper}, {self.number}" + (", as printed" if self.printed else "")
