"""Why a step waits or failed, in a sentence: a pure function of the objects that Kubernetes has."""
