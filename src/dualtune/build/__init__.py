"""Problems to Instances on disk."""
