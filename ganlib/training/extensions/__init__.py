"""What happens around an update; by name those of files with make(settings) -> Extension."""
