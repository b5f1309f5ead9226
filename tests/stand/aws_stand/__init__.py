"""An AWS account on one machine: real moto behind rules that are stricter than moto's own."""
