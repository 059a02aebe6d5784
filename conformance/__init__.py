"""Running clients against servers: official SDKs, this client, and servers of other projects."""
