"""What three papers claim of experiments: Mask in the Mirror, the sketching perspective, Dep-L0."""

from linreg_mirror.claims.claim import Claim, Pair
from linreg_mirror.ledger import Citation

_ONE_SHOT = ("fashion-lenet", "fashion-resnet", "cifar-resnet", "pilot-cifar10", "pilot-cifar100")
_CIFAR = "ResNet-20 on CIFAR-10 and ResNet-18 on CIFAR-100, 150 epochs"
_IMAGENET = "ResNet-50 on ImageNet, top-1 at 80, 90, 95 % sparsity: 75.62, 74.73, 71.30 against"
_MASKS = "several networks and sets of images, 80 to 99.8 % sparsity; tables we could not read"
_GATES = "VGG-16 and ResNet-56 on CIFAR-10 and CIFAR-100, 300 epochs"
_NOT_RUN = "the comparison has not been run"


def _pilot(rival: str, statement: str, published: str, recipes: tuple[str, ...] = _ONE_SHOT) -> Claim:
    return Claim(
        f"pilot.{rival.lower()}",
        Citation("MM", "one-shot"),
        statement,
        "better",
        published,
        tuple(Pair(recipe, "PILoT", rival) for recipe in recipes),
        _NOT_RUN,
    )


def _cycles(rewind: str, where: str) -> Claim:
    return Claim(
        f"iterative.{rewind.lower()}",
        Citation("MM", "iterative"),
        f"{rewind} (every cycle starts {where}) leads to more accurate networks if its cycles train x = m*w, as PILoT "
        "does, than if they train x.",
        "better",
        "25 cycles of 150 epochs, 0.8 of the weights kept in each",
        (
            Pair(f"{rewind.lower()}-digits", "PILoT", "dense"),
            Pair("fashion-lenet-cycles", f"{rewind}, PILoT", f"{rewind}, dense"),
            Pair("fashion-resnet-cycles", f"{rewind}, PILoT", f"{rewind}, dense"),
        ),
        _NOT_RUN,
        most=0.8,
    )


def _drawn(score: str) -> Claim:
    label = score if score == "SynFlow" else f"{score} without data"
    return Claim(
        f"masks.drawn.{score.lower()}",
        Citation("SK", "abstract"),
        f"Without data, masks drawn in proportion to {score} scores are better than those of the highest scores.",
        "better",
        _MASKS,
        tuple(Pair(recipe, f"{label}, drawn", label) for recipe in ("masked-digits", "fashion-lenet-masks")),
        _NOT_RUN,
    )


def _blind(score: str) -> Claim:
    return Claim(
        f"masks.data_free.{score.lower()}",
        Citation("SK", "abstract"),
        f"The search for a mask need not see data: {score} on random inputs is as good as on examples of the task.",
        "not worse",
        _MASKS,
        tuple(Pair(recipe, f"{score} without data", score) for recipe in ("masked-digits", "fashion-lenet-masks")),
        _NOT_RUN,
    )


CLAIMS = (
    _pilot("dense", "PILoT keeps more accuracy than magnitude pruning after plain training.", _CIFAR),
    _pilot("L1", "PILoT keeps more accuracy than an L1 penalty on x.", _CIFAR),
    _pilot(
        "spred",
        "PILoT keeps more accuracy than spred, the same x = m*w with a balanced start and a constant penalty.",
        f"{_CIFAR}; {_IMAGENET} 72.64, 71.84, 69.47",
    ),
    _pilot(
        "STR",
        "PILoT keeps more accuracy than soft thresholds that are learnt (STR).",
        f"{_CIFAR}; {_IMAGENET} 75.49, 72.40, 64.94",
        ("fashion-lenet", "cifar-resnet", "pilot-imagenet"),
    ),
    _pilot(
        "CS", "PILoT keeps more accuracy than Continuous Sparsification.", _CIFAR, ("fashion-lenet", "cifar-resnet")
    ),
    _cycles("IMP", "at the initial weights"),
    _cycles("WR", "at the weights of an early epoch"),
    _cycles("LRR", "where the last one ended, with the learning rate of the first"),
    _drawn("SNIP"),
    _drawn("GraSP"),
    _drawn("SynFlow"),
    _blind("SNIP"),
    _blind("GraSP"),
    Claim(
        "gates.dependent",
        Citation("DL", "abstract"),
        "Dep-L0 is more accurate than independent hard concrete gates on channels (L0-HC), by much on ImageNet.",
        "better",
        f"{_GATES}; ResNet-50 on ImageNet, 90 + 10 epochs",
        tuple(
            Pair(recipe, f"Dep-L0 {direction}", rival, cost="operations")
            for recipe, rival in (("gates-digits", "HC"), ("fashion-lenet-gates", "HC on channels"))
            for direction in ("forward", "backward")
        ),
        _NOT_RUN,
    ),
    Claim(
        "gates.direction",
        Citation("DL", "experiments"),
        "Dep-L0 works in both directions: logits generated from the last layer to the first are as good as from the "
        "first to the last.",
        "not worse",
        f"{_GATES}; both directions are trained there, by how much they differ we could not read",
        tuple(
            Pair(recipe, "Dep-L0 backward", "Dep-L0 forward", cost="operations")
            for recipe in ("gates-digits", "fashion-lenet-gates")
        ),
        _NOT_RUN,
    ),
)
