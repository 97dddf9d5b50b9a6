module clsp-platform/tests/cluster/tools/pause

go 1.24
