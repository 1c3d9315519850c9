# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel knows and decides; nothing here imports bpy."""
