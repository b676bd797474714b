"""`field_composer`: sources, their joint law and the sky of fields, learned and composed anew."""
