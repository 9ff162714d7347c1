"""A cluster that is not there: an API server on a real socket, with objects in memory."""
