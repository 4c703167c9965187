"""Editorial choices worth a review: YAML files in config/, read into the types of their stage."""
