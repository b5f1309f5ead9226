//! Does what the plan says, one journalled step after the other. Makes no choices.
