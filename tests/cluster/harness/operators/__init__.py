"""What a platform team runs on a cluster, installed from upstream's own manifests inside the Go modules."""
