"""tgsage: architecture search guided by recordings from the primate ventral stream."""

import lazy_loader as lazy

__version__ = "0.1.0"

# Parts are imported when they are first used: `import tgsage` must not cost a second of torch.
__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    [
        "config", "guidance", "plots", "plugins", "rdm", "recordings", "report", "runs", "samplers",
        "scoring", "search", "spaces", "store", "studies", "tasks", "teacher", "training",
    ],
)  # fmt: skip
