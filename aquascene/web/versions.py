"""Which version of the product runs."""

from aquascene.adapters.versions import version as version
