"""A callback for Lightning's Trainer: what a method does after epochs, and at the end."""

from typing import Any

from linreg_mirror.networks.methods import Method


def callback(method: Method, *, accuracy: str, keep: Any = None) -> Any:
    """Return a Lightning callback that calls `method.after_epoch` and, in the end, `method.finish`.

    Steps need none: `configure_optimizers` of the module returns ``method.bind(method.optimizer(self, ...))``, after
    ``method.attach(self)``.

    Parameters
    ----------
    method : Method
        That was attached to the module.
    accuracy : str
        Name under which the module logs the training accuracy of an epoch, in [0, 1].
    keep : float, str or mapping, optional
        Share of the weights that `finish` keeps once training is over. Default: it is left to you.

    Returns
    -------
    lightning.pytorch.Callback
        For ``Trainer(callbacks=[...])``. Its attribute `masks` is what `finish` returned.

    Raises
    ------
    ModuleNotFoundError
        Without the package lightning.
    """
    try:
        from lightning.pytorch import Callback  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"callbacks need the package lightning ({error}): pip install lightning") from None

    class AfterEpochs(Callback):
        masks: dict[str, Any] | None = None

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            measured = trainer.callback_metrics
            if accuracy not in measured:
                raise KeyError(
                    f"the module logs no {accuracy!r} in training, but {', '.join(measured) or 'nothing'}: write "
                    f"self.log({accuracy!r}, ..., on_epoch=True) in training_step"
                )
            method.after_epoch(float(measured[accuracy]))

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            if keep is not None:
                self.masks = method.finish(keep)

    return AfterEpochs()
