# SPDX-License-Identifier: Apache-2.0
"""Pictures of a design and the report page: SVG and HTML that need nothing but a browser."""
