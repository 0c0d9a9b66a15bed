"""Warped tiles (PAI-Lib)."""

from pail.sfi.affined.technique import affined_anomlay as affined_anomlay
