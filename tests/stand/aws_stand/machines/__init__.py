"""The machines of the stand: EC2 instances as namespaces with real programs, volumes and a real network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..seam import Machines, World


def create(world: World) -> Machines:
    """Machines for a proxy; needs root. Choices come from `AWS_STAND_MACHINES`, a JSON object."""
    from .options import from_environment
    from .world import RealMachines

    return RealMachines(world, from_environment())
