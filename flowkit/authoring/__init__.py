"""What a flow file touches: the classes and decorators that users write flows with."""
