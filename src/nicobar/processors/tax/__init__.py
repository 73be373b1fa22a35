"""Registers of tax ids."""
