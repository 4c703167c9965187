# The only place where commands live; CI and the docs call these.
.DELETE_ON_ERROR:
