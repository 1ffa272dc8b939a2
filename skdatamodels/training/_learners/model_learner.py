"""Base class of learners whose models can be kept."""

import pickle

import cloudpickle


class ModelLearner:
    """Base class of learners whose models can be kept beside their outputs.

    A subclass defines :meth:`train_and_measure`. Calling the learner gives the outputs
    of the same run, and :meth:`train_model` its model.
    """

    def train_and_measure(self, train_indices, seed):
        """Train a model, and return it with its outputs.

        Parameters
        ----------
        train_indices : int64 array of shape (n_subset,)
            Indices of the training examples.
        seed : int
            Seed of the run.

        Returns
        -------
        model : estimator or torch.nn.Module
            The trained model. A module is in evaluation mode on the CPU.
        outputs : array of shape (n_targets,)
            Outputs of the model on the targets.
        """
        raise NotImplementedError

    def __call__(self, train_indices, seed):
        """Train a model on these examples, and return its outputs (n_targets,)."""
        return self.train_and_measure(train_indices, seed)[1]

    def train_model(self, train_indices, seed):
        """Return the model of a run; see :meth:`train_and_measure`."""
        return self.train_and_measure(train_indices, seed)[0]

    def pack_model(self, model):
        """Return a model as bytes, for a file or another process."""
        return cloudpickle.dumps(model)

    def unpack_model(self, content, seed):
        """Return the model in the result of :meth:`pack_model`; `seed` is its run's."""
        return pickle.loads(content)
