from benchopt import BaseDataset

from linreg_mirror import problems


class Dataset(BaseDataset):
    """Arrays X and y in an npz file: benchopt run -d "file[path=/absolute/data.npz]"."""

    name = "file"
    parameters = {"path": [None]}
    requirements = ["pip::linreg-mirror"]

    def skip(self, **_):
        return self.path is None, 'no file was named: -d "file[path=/absolute/data.npz]"'

    def get_data(self):
        problem = problems.from_file(self.path)
        return {"X": problem.X, "y": problem.y}
