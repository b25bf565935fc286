from .fitted import Fitted as Fitted
from .fitted import Performance as Performance
from .fitted import TeacherWorth as TeacherWorth
from .fitting import fit as fit
from .fitting import read_mature as read_mature
