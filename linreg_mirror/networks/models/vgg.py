"""VGG (Simonyan and Zisserman, arXiv 1409.1556) with batch norm.

Layers and names of parameters are those of torchvision.
"""

from collections import OrderedDict

from torch import nn

from linreg_mirror._tools.cites import cites
from linreg_mirror.networks._tools.arguments import check_images
from linreg_mirror.networks.models.initialisation import initialised

_CONVOLUTIONS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_WIDTHS = (64, 128, 256, 512, 512)


@cites("simonyan2015very")
def vgg_bn(depth: int, *, classes: int = 1000, channels: int = 3, small_images: bool = False) -> nn.Module:
    """Return VGG-16 or VGG-19, with a batch norm after each convolution.

    For small images, of 32 x 32 or 64 x 64, one linear layer takes the place of three, after the mean over all pixels.
    """
    check_images(classes, channels, small_images)
    features, inputs = nn.Sequential(), channels
    for width, count in zip(_WIDTHS, _CONVOLUTIONS[depth], strict=True):
        for _ in range(count):
            features.extend([nn.Conv2d(inputs, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()])
            inputs = width
        features.append(nn.MaxPool2d(2))
    if small_images:
        size, side, classifier = 32, 1, nn.Linear(inputs, classes)
    else:
        hidden = (nn.Linear(inputs * 7 * 7, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU())
        size, side, classifier = 224, 7, nn.Sequential(*hidden, nn.Dropout(), nn.Linear(4096, classes))
    parts = OrderedDict[str, nn.Module](
        features=features, avgpool=nn.AdaptiveAvgPool2d(side), flatten=nn.Flatten(), classifier=classifier
    )
    return initialised(nn.Sequential(parts), (channels, size, size))
