"""Overrides that shrink a bundled recipe to a run of seconds on one drawn scene."""

TINY = (
    "data.sources = []",
    "data.synthetic = 1",
    'data.synthetic_sensors = ["ikonos"]',
    "data.synthetic_size = 64",
    "data.tile = 32",
    "data.patch = 24",
    "data.folded = 4",
    "augment.ratios = [2, 4]",
    "augment.bands = [2, 3]",
    "validation.pairs = []",
    "network.width = 4",
    "network.dilations = [1]",
    "run.steps = 6",
    "run.log = 1",
    "run.bfloat16 = false",
)
OTFM = (
    *TINY,
    'objective = { name = "otfm", w = 0.1, ramp = 0.0, r1_every = 2, critic_width = 8 }',
    "optimiser.rates.critic = 1e-3",
)
